"""Long answers are compressed for clients that accept it."""

import gzip

import httpx
import pytest

from tests.api.calling import DAILY, USAGE, bearer
from tests.api.folded import Folded


@pytest.mark.parametrize("path", [DAILY, DAILY.replace("daily", "daily.csv")])
async def test_a_long_answer_is_compressed(api: httpx.AsyncClient, folded: Folded, path: str) -> None:
    """Given gzip, fewer bytes that are the same body, with the same tag; caches are told."""
    headers = bearer(await folded.key("acme"))
    plain = await api.get(path, headers={**headers, "Accept-Encoding": "identity"})
    async with api.stream("GET", path, headers={**headers, "Accept-Encoding": "gzip"}) as packed:
        sent = b"".join([part async for part in packed.aiter_raw()])
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(sent) == int(packed.headers["content-length"]) < len(plain.content) / 3
    assert gzip.decompress(sent) == plain.content
    assert packed.headers["etag"] == plain.headers["etag"]
    assert {each.strip() for each in packed.headers["vary"].split(",")} == {"Accept-Encoding"}


async def test_a_short_answer_is_not(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given totals, compression would save nothing."""
    answer = await api.get(USAGE, headers=bearer(await folded.key("acme")) | {"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
