"""Who calls: keys and sessions looked up with their uses counted, sign-ins counted, hints left and taken."""

import pytest
from redis.asyncio import Redis

from ledger.attempts import count_attempt
from ledger.beats import KEPT_SECONDS, beat, silence
from ledger.callers import CallerWindow, KeyUse, find_caller, find_session, read_last_used
from ledger.hints import ALL_METERS, leave_hint, take_hints
from ledger.notices import Author, post_notices, read_notices
from ledger.reading import NotReadyError
from ledger.sessions import end_session, open_session
from ledger.shard import Shard
from ledger.state import Log
from metering.api_key import ApiKeyRecord
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from tests.ledger.test_reading import ready, tell

RECORD = ApiKeyRecord(account="acme", label="ci", created=7)
MINUTE = CallerWindow.at(600, 60)


async def with_key(shard: Shard) -> None:
    """A ready shard that knows one key."""
    await tell(shard, Log.API_KEYS, "hash", RECORD.to_json())
    await ready(shard)


def test_windows_follow_each_other() -> None:
    """Each begins where the one before ends."""
    assert [CallerWindow.at(now, 60).number for now in (599, 600, 659, 660)] == [9, 10, 10, 11]
    assert [CallerWindow.at(now, 60).seconds_left(now) for now in (600, 601, 659)] == [60, 59, 1]


async def test_a_use_is_counted_in_its_window(shard: Shard, client: Redis) -> None:
    """Uses of one window add up; the next begins at one; both vanish by themselves."""
    await with_key(shard)
    uses = [await find_caller(shard, "hash", now=600 + n, window=MINUTE) for n in range(3)]
    assert uses == [KeyUse(RECORD, n) for n in (1, 2, 3)]
    later = await find_caller(shard, "hash", now=660, window=CallerWindow.at(660, 60))
    assert later == KeyUse(RECORD, 1)
    for window in (10, 11):
        assert 0 < await client.ttl(shard.keys.uses(window)) <= 60


async def test_the_last_use_is_kept(shard: Shard) -> None:
    """Of keys that were found; of others nothing is known."""
    await with_key(shard)
    assert await read_last_used(shard, ["hash"]) == {}
    await find_caller(shard, "hash", now=600, window=MINUTE)
    await find_caller(shard, "hash", now=605, window=MINUTE)
    assert await find_caller(shard, "other", now=606, window=MINUTE) is None
    assert await read_last_used(shard, ["other", "hash"]) == {"hash": 605}
    assert await read_last_used(shard, []) == {}


async def test_a_session_is_its_key(shard: Shard, client: Redis) -> None:
    """It counts with its key, and ends when it is ended, or when its key is revoked, or by itself."""
    await with_key(shard)
    for name in ("one", "two"):
        await open_session(shard, name, "hash", seconds=60)
    assert 0 < await client.ttl(shard.keys.session("one")) <= 60
    assert await find_session(shard, "one", now=600, window=MINUTE) == KeyUse(RECORD, 1)
    assert await find_caller(shard, "hash", now=600, window=MINUTE) == KeyUse(RECORD, 2)
    assert await find_session(shard, "three", now=600, window=MINUTE) is None

    for _ in range(2):
        await end_session(shard, "one")
    assert await find_session(shard, "one", now=600, window=MINUTE) is None
    assert await find_session(shard, "two", now=600, window=MINUTE) is not None
    await tell(shard, Log.API_KEYS, "hash", None)
    assert await find_session(shard, "two", now=600, window=MINUTE) is None


async def test_a_shard_that_is_not_ready_knows_nobody_and_writes_nothing(shard: Shard, client: Redis) -> None:
    """A valid key never reads as unknown, nor does a session."""
    await tell(shard, Log.API_KEYS, "hash", RECORD.to_json())
    for question in (
        find_caller(shard, "hash", now=600, window=MINUTE),
        find_session(shard, "one", now=600, window=MINUTE),
    ):
        with pytest.raises(NotReadyError):
            await question
    assert not await client.exists(shard.keys.last_used, shard.keys.uses(10))


async def test_attempts_are_counted_by_address(shard: Shard, client: Redis) -> None:
    """In a window that the first one opens and that no later one prolongs."""
    first = await count_attempt(shard, "203.0.113.7", seconds=300)
    assert (first.count, first.seconds_left) == (1, 300)
    await client.expire(shard.keys.attempts("203.0.113.7"), 100)
    second = await count_attempt(shard, "203.0.113.7", seconds=300)
    assert second.count == 2
    assert 0 < second.seconds_left <= 100
    assert (await count_attempt(shard, "203.0.113.8", seconds=300)).count == 1


async def test_a_hint_is_taken_once(shard: Shard, client: Redis) -> None:
    """However often it was left; left hints vanish by themselves."""
    for meter in ("mtr_1", "mtr_1", ALL_METERS):
        await leave_hint(shard, meter)
    assert await client.ttl(shard.keys.hints) > 3600
    assert await take_hints(shard) == {"mtr_1", ALL_METERS}
    assert await take_hints(shard) == frozenset()


async def test_notices_are_what_was_said_last(shard: Shard, client: Redis) -> None:
    """Each service's are replaced by its own; nobody who says nothing more is quoted for ever."""
    stopped = Finding(Trouble.BILLING_STOPPED, shard.number, detail="a \ud800 word")
    missing = [Finding(Trouble.MISSING, shard.number, {"units": units}) for units in (5, 6)]
    source = Finding(Trouble.SOURCE_REJECTED, shard.number, {"source": "/sms"})
    await post_notices(shard, Author.AGGREGATOR, [source])
    await post_notices(shard, Author.STRIPE_WORKER, [stopped, *missing])
    assert await read_notices(shard) == [source, stopped, *missing]
    for author in Author:
        assert 0 < await client.ttl(shard.keys.notices(author)) <= 600
    await post_notices(shard, Author.STRIPE_WORKER, missing)
    assert await read_notices(shard) == [source, *missing]
    await post_notices(shard, Author.STRIPE_WORKER, [])
    assert await read_notices(shard) == [source]


async def test_what_another_version_has_said_is_shown_by_its_name(shard: Shard, client: Redis) -> None:
    """A trouble that this one does not know, and one whose words need more than it was given."""
    said = {"of_the_future": "[]", "missing": '[{"params":{},"detail":""}]', "stale": "no JSON"}
    await client.hset(shard.keys.notices(Author.STRIPE_WORKER), mapping=said)
    found = await read_notices(shard)
    assert [(each.trouble, each.params["name"]) for each in found] == [
        (Trouble.SAID_OTHERWISE, name) for name in sorted(said)
    ]


async def test_who_has_fallen_silent_is_known_by_the_time_since(shard: Shard, client: Redis) -> None:
    """Who was never heard of is not missed; who has been silent for weeks is forgotten."""
    assert await silence(shard) is None
    await beat(shard)
    assert await silence(shard) == 0

    await client.expire(shard.keys.beats, KEPT_SECONDS - 90)
    assert await silence(shard) == 90


def test_what_may_be_lost_says_so_in_its_name(shard: Shard) -> None:
    """Under `api:`, in the shard's slot."""
    keys = shard.keys
    mine = (keys.last_used, keys.uses(1), keys.session("s"), keys.attempts("a"), keys.hints, keys.beats)
    for name in (*mine, *map(keys.notices, Author)):
        assert name.startswith(f"{keys.prefix}{{p{shard.number}}}api:")
