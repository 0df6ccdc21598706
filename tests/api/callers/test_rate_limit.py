"""The rate limit of a key, and the headers that show it."""

import re

import httpx
import pytest
from redis.asyncio import Redis

from api.settings import ApiSettings
from metering.api_key import key_hash, make_api_key
from tests.api.calling import NOW, PORTAL, SESSION, USAGE, Interposed, assert_problem, bearer, calling, settings_of
from tests.api.folded import Folded

UNKNOWN = make_api_key(lambda alphabet: alphabet[11])


@pytest.fixture
def limited(settings: ApiSettings) -> ApiSettings:
    """Three requests a minute."""
    return settings_of(settings.redis_url, settings.redis_prefix, rate_limit=3)


def standing(answer: httpx.Response) -> tuple[int, int]:
    """The requests left, and the seconds left."""
    found = re.fullmatch(r'"key";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    assert found, answer.headers
    return int(found[1]), int(found[2])


async def test_a_key_is_told_where_it_stands(limited: ApiSettings, folded: Folded) -> None:
    """Given three requests a minute, each answer counts down; the fourth is refused until the window's end."""
    headers = bearer(await folded.key("acme"))
    async with calling(limited, now=lambda: NOW + 10) as api:
        answers = [await api.get(USAGE, headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [standing(answer) for answer in answers] == [(2, 50), (1, 50), (0, 50), (0, 50)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"key";q=3;w=60'}
    assert_problem(answers[-1], 429, "rate_limited")
    assert answers[-1].headers["retry-after"] == "50"


async def test_the_next_window_begins_anew(limited: ApiSettings, folded: Folded) -> None:
    """Given a key that was used up, it works again in the next minute."""
    headers, moment = bearer(await folded.key("acme")), [NOW + 59.9]
    async with calling(limited, now=lambda: moment[0]) as api:
        assert [(await api.get(USAGE, headers=headers)).status_code for _ in range(4)][-1] == 429
        moment[0] = NOW + 60
        assert standing(await api.get(USAGE, headers=headers)) == (2, 60)


async def test_each_key_has_its_own(limited: ApiSettings, folded: Folded) -> None:
    """Given two keys of one account, a used-up key does not affect the other; a session counts with its key."""
    first, second = await folded.key("acme"), await folded.key("acme")
    async with calling(limited) as api:
        assert (await api.post(SESSION, json={"key": first})).status_code == 204
        for _ in range(3):
            assert (await api.get(USAGE)).status_code == 200
        assert_problem(await api.get(USAGE), 429, "rate_limited")
        assert_problem(await api.get(PORTAL, headers=bearer(first)), 429, "rate_limited")
        assert (await api.get(USAGE, headers=bearer(second))).status_code == 200


async def test_no_limit(settings: ApiSettings, folded: Folded) -> None:
    """Given 0, there is no limit and no header."""
    headers = bearer(await folded.key("acme"))
    async with calling(settings_of(settings.redis_url, settings.redis_prefix, rate_limit=0)) as api:
        answers = [await api.get(USAGE, headers=headers) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert not any("ratelimit" in answer.headers for answer in answers)


async def left_behind(client: Redis, prefix: str) -> set[str]:
    """The keys that requests have left in Redis, without the process's own beat."""
    names = {name.decode() async for name in client.scan_iter(match=f"{prefix}*api:*", count=5000)}
    return {name for name in names if not name.endswith("api:beats")}


async def test_counting_costs_no_round_trip_and_leaves_little(
    limited: ApiSettings, folded: Folded, redis_url: str, redis_prefix: str
) -> None:
    """Counts expire; unknown keys leave nothing; the time of use is kept under the key's hash."""
    key, store = await folded.key("acme"), Interposed(folded.ledger.store)
    async with calling(limited, store=store) as api:
        await api.get(USAGE, headers=bearer(UNKNOWN))
        async with Redis.from_url(redis_url) as client:
            assert not await left_behind(client, redis_prefix)
        await api.get(USAGE, headers=bearer(key))
    assert store.ran == ["find_caller", "find_caller", "read_usage"]
    async with Redis.from_url(redis_url) as client:
        names = await left_behind(client, redis_prefix)
        shard = folded.home(key_hash(key))
        assert names == {shard.keys.last_used, shard.keys.uses(NOW // 60)}
        assert await client.hgetall(shard.keys.last_used) == {key_hash(key).encode(): str(NOW).encode()}
        assert 0 < await client.ttl(shard.keys.uses(NOW // 60)) <= 60
