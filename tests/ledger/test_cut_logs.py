"""A shard that is opened on a log whose head is gone: what that closes is decided once, before anybody relies on it."""

import pytest
from redis.asyncio import Redis

from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, close_buckets, note_beginning, open_shard, read_state
from tests.ledger.folding import Folder
from tests.metering.events import NOON_MS, Record, event

HOUR = NOON_MS // 3_600_000


async def opened(shard: Shard, earliest: int = 7) -> None:
    """Its usage log begins there."""
    await open_shard(shard, Log.USAGE, earliest=earliest, incarnation="one", may_be_cut=True)


async def mark(shard: Shard, end: int = 7) -> Readiness:
    """Tries to set the mark."""
    return await mark_ready(shard, ReadyMark.USAGE, await note_server(shard), {Log.USAGE: end}, as_of_ms=1)


async def test_a_log_that_begins_at_0_has_lost_nothing(shard: Shard) -> None:
    """There is nothing to decide."""
    await opened(shard, earliest=0)

    state = await read_state(shard)
    assert (state.cut, state.undecided, state.closed_before) == (frozenset(), frozenset(), 0)
    await close_buckets(shard, "one", Log.USAGE, HOUR)
    assert (await read_state(shard)).closed_before == 0
    assert await mark(shard, 0) is Readiness.READY


async def test_a_shard_is_not_ready_before_it_is_decided_what_is_closed(shard: Shard) -> None:
    """Who plans would plan what is incomplete."""
    await opened(shard)
    assert (await read_state(shard)).undecided == {Log.USAGE}
    assert await mark(shard, 8) is Readiness.BEHIND
    assert await mark(shard) is Readiness.UNDECIDED

    await close_buckets(shard, "one", Log.USAGE, HOUR)

    assert (await read_state(shard)).closed_before == HOUR
    assert await mark(shard) is Readiness.READY


async def test_it_is_decided_once(shard: Shard) -> None:
    """Rows are folded by it from then on; another log closes buckets of its own."""
    await opened(shard)
    await open_shard(shard, Log.PUSHES, earliest=3, incarnation="one", may_be_cut=True)
    for hour in (HOUR, HOUR + 1, HOUR - 1):
        await close_buckets(shard, "one", Log.USAGE, hour)
        assert (await read_state(shard)).closed_before == HOUR

    await close_buckets(shard, "one", Log.PUSHES, HOUR + 5)
    state = await read_state(shard)
    assert (state.closed_before, state.undecided) == (HOUR + 5, frozenset())


@pytest.mark.parametrize("hour", [0, HOUR])
async def test_a_later_log_opens_nothing_again(shard: Shard, hour: int) -> None:
    """Whatever of the two closes more."""
    await opened(shard)
    await close_buckets(shard, "one", Log.USAGE, HOUR)
    await open_shard(shard, Log.PUSHES, earliest=3, incarnation="one", may_be_cut=True)
    await close_buckets(shard, "one", Log.PUSHES, hour)

    assert (await read_state(shard)).closed_before == HOUR


async def test_who_decides_for_another_life_of_the_shard_decides_nothing(shard: Shard) -> None:
    """It was flushed, and opened anew on a log that begins elsewhere."""
    await opened(shard)

    await close_buckets(shard, "earlier", Log.USAGE, HOUR)

    assert (await read_state(shard)).undecided == {Log.USAGE}


async def test_a_cut_log_begins_with_its_first_record(shard: Shard) -> None:
    """Noted before it is counted, and never again after."""
    await opened(shard)
    await note_beginning(shard, 7, NOON_MS)
    await note_beginning(shard, 7, NOON_MS + 1)
    assert (await read_state(shard)).begins_ms == NOON_MS


async def test_nobody_notes_a_beginning_who_is_elsewhere_or_late(shard: Shard, client: Redis) -> None:
    """A zombie of another life of the shard, and one whose first record was counted already."""
    await opened(shard)
    await note_beginning(shard, 5, NOON_MS)
    assert (await read_state(shard)).begins_ms is None

    folder = Folder(shard)
    await folder.open(7)
    assert (await folder.apply([Record(7, event(subject="acme"))], 7, 8)).applied
    await note_beginning(shard, 8, NOON_MS)
    assert (await read_state(shard)).begins_ms is None
