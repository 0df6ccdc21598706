"""Authentication: the four refusals, which reveal only what callers may know."""

import httpx
import pytest

from metering.api_key import make_api_key
from tests.api.calling import DAILY, PERIODS, PORTAL, SESSION, USAGE, assert_problem, bearer
from tests.api.folded import Folded

WELL_FORMED = make_api_key(lambda alphabet: alphabet[11])


@pytest.mark.parametrize("path", [USAGE, PORTAL, DAILY, PERIODS, SESSION])
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", WELL_FORMED])
async def test_no_key(api: httpx.AsyncClient, folded: Folded, path: str, header: str | None) -> None:
    """Given no bearer token, the answer says how to send one."""
    answer = await api.get(path, headers={} if header is None else {"Authorization": header})
    assert_problem(answer, 401, "missing_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (None, "Send your API key in the Authorization header"),
        (WELL_FORMED, "the key alone. Write the word Bearer and a space before it."),
        ("Basic dXNlcjpwYXNz", "no Bearer token. Write the word Bearer, a space, and your API key."),
    ],
)
async def test_a_key_without_its_scheme(api: httpx.AsyncClient, folded: Folded, header: str | None, told: str) -> None:
    """Given a key that was sent without the word before it, the answer says what is missing."""
    answer = await api.get(USAGE, headers={} if header is None else {"Authorization": header})
    assert told in answer.json()["detail"]


@pytest.mark.parametrize(
    "key", ["x", WELL_FORMED[:-1], WELL_FORMED[:-1] + "z", WELL_FORMED + "0", "tk_test_" + WELL_FORMED[8:], "ä" * 46]
)
async def test_a_malformed_key(api: httpx.AsyncClient, folded: Folded, key: str) -> None:
    """Given a token of another shape or with a wrong checksum, it is refused without a look-up."""
    answer = await api.get(USAGE, headers={"Authorization": f"Bearer {key}".encode()})
    assert_problem(answer, 401, "malformed_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_unknown_and_a_revoked_key_look_the_same(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a key that never existed and one that was revoked, the answers are equal."""
    revoked = await folded.key("acme")
    assert (await api.get(USAGE, headers=bearer(revoked))).status_code == 200
    await folded.revoke(revoked)
    answers = [await api.get(USAGE, headers=bearer(key)) for key in (WELL_FORMED, revoked)]
    for answer in answers:
        assert_problem(answer, 401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
    assert answers[0].content == answers[1].content


async def test_the_scheme_may_be_written_in_any_case(api: httpx.AsyncClient, folded: Folded) -> None:
    """RFC 9110, 11.1: a scheme's name is case-insensitive; more than one space may follow it."""
    key = await folded.key("acme")
    for header in (f"bearer {key}", f"BEARER  {key}"):
        assert (await api.get(USAGE, headers={"Authorization": header})).status_code == 200
