"""The usage fold in Redis: the same as the log read record by record, however it is cut and whoever applies it."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.shard import Shard
from ledger.state import Log, close_buckets, open_shard, read_state
from metering.counting import mark_of
from metering.meters import CATALOGUE
from metering.rfc3339 import from_unix
from tests.ledger.folding import Folder, fold
from tests.ledger.reference import ACCOUNTS, FOREIGN, WEEK_MS, Appended, Reference, Step, append
from tests.ledger.stored import stored
from tests.metering.events import NOON, NOON_MS, Record, event

ACME = ACCOUNTS[0]
HOUR = NOON // 3600
DAY = 86_400

STEPS = st.builds(
    Step,
    identity=st.sampled_from([None, *range(3), *range(3), *range(3)]),
    account=st.sampled_from([*ACCOUNTS, *ACCOUNTS, FOREIGN]),
    meter=st.sampled_from([0, 0, 5]),
    quantity=st.sampled_from([0, 1, 2, 1000, 10**9]),
    late_seconds=st.sampled_from([0, 0, 0, 1, 3600, 5 * DAY, 34 * DAY, 34 * DAY + 1, -300, -301]),
    gap_ms=st.sampled_from([0, 0, 0, 1, 60_000, DAY * 1000, WEEK_MS, 3 * WEEK_MS, 6 * WEEK_MS, -1000, -WEEK_MS]),
    jump=st.sampled_from([1, 1, 2, 5]),
)


@st.composite
def deliveries(draw: st.DrawFn, end: int) -> list[tuple[str, int]]:
    """How a log up to `end` reaches the shard: to which offset, and what goes wrong before it."""
    cuts = sorted(draw(st.sets(st.integers(0, end), max_size=8)) | {end})
    troubles = st.sampled_from(["", "", "", "again", "reopen", "ahead", "two owners"])
    return [(draw(troubles), cut) for cut in cuts]


async def deliver(shard: Shard, log: list[Appended], plan: list[tuple[str, int]]) -> None:
    """Applies the log in pieces, with redeliveries, gaps, restarts and owners that do not know of each other."""
    folder, other, at = Folder(shard), Folder(shard), 0
    await folder.open()
    await other.open()
    for trouble, cut in plan:
        piece = [entry.record for entry in log if at <= entry.offset < cut]
        if trouble == "reopen":
            assert await folder.open() == at
        if trouble == "ahead":
            answer = await folder.apply([], cut + 1, cut + 2)
            assert (answer.verdict, answer.fence) == (Verdict.GAP, at)
        if cut == at:
            continue
        if trouble == "two owners":
            assert await other.open() == at
            assert (await other.apply(piece, at, cut)).applied
            assert (await folder.apply(piece, at, cut)).verdict is Verdict.STALE
            folder, other = other, folder
        else:
            assert (await folder.apply(piece, at, cut)).applied
        if trouble == "again":
            answer = await folder.apply(piece, at, cut)
            assert (answer.verdict, answer.fence) == (Verdict.STALE, cut)
        at = cut


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data(), steps=st.lists(STEPS, max_size=30))
async def test_any_delivery_of_a_log_ends_in_the_state_that_the_log_means(
    client: Redis, new_shard: Callable[[], Shard], data, steps
) -> None:
    """Counters by hour and day, due buckets and their order, fates, fence, highest time, the last record's mark."""
    log, shard, reference = append(steps, NOON_MS), new_shard(), Reference()
    end = (log[-1].offset + log[-1].step.jump) if log else data.draw(st.integers(0, 3))
    for entry in log:
        reference.fold(entry)

    await deliver(shard, log, data.draw(deliveries(end)))

    state, found = await read_state(shard), await stored(client, shard)
    assert found.hours == reference.units
    assert found.days == reference.days
    assert found.due == {f"{a}|{m}|{h}": units for (a, m, h), units in reference.units.items()}
    assert found.order == {f"{a}|{m}|{h}": h for a, m, h in reference.units}
    for fate in ("read", "counted", "duplicate", "dead", "rerouted"):
        assert getattr(state.conservation, fate) == reference.fates[fate], fate
    assert state.conservation.read == sum(reference.fates[f] for f in ("counted", "duplicate", "dead", "rerouted"))
    assert state.high_ms == reference.high_ms
    assert state.fences["usage"] == end
    if log:
        assert state.marks["usage"] == mark_of(log[-1].record)
    for block, members in state.window.members.items():
        assert members == len(found.sets.get(block, ()))
    assert set(found.sets) <= set(state.window.sets)


def record(offset: int, identity: str = "1", append_ms: int = NOON_MS, **changes: object) -> Record:
    """An event of `acme`."""
    return Record(offset, event(id=identity, subject=ACME, **changes), append_ms)


async def test_the_conservation_counters_move_with_the_fence(shard: Shard) -> None:
    """After every single call: read = counted + duplicate + dead + re-routed."""
    folder = Folder(shard)
    await folder.open()
    records = [record(0), record(1), Record(2, b"x"), Record(3, event(subject=FOREIGN)), record(4, "2")]
    for entry in records:
        await folder.apply([entry], entry.offset, entry.offset + 1)
        fates = (await read_state(shard)).conservation
        assert fates.read == entry.offset + 1 == fates.counted + fates.duplicate + fates.dead + fates.rerouted

    assert (fates.counted, fates.duplicate, fates.dead, fates.rerouted) == (2, 1, 1, 1)


async def test_a_shard_without_a_fence_takes_nothing(client: Redis, shard: Shard) -> None:
    """It may have been flushed a moment ago: whoever folds it must ask for its position first."""
    answer = await Folder(shard).apply([record(0)], 0, 1)

    assert (answer.verdict, answer.fence, answer.applied) == (Verdict.EMPTY, None, False)
    assert not (await stored(client, shard)).names


@pytest.mark.parametrize(("start", "verdict"), [(4, Verdict.STALE), (6, Verdict.GAP), (50, Verdict.GAP)])
async def test_a_batch_that_does_not_start_at_the_fence_changes_nothing(client, shard, start, verdict) -> None:
    """Offsets are compared as numbers: 50 is beyond 6."""
    folder = Folder(shard)
    await folder.open(earliest=5)
    before = await stored(client, shard)

    answer = await folder.apply([record(start)], start, start + 1)

    assert (answer.verdict, answer.fence) == (verdict, 5)
    assert await stored(client, shard) == before


async def test_an_empty_shard_begins_at_the_log_s_earliest_offset_once(shard: Shard) -> None:
    """Later owners learn what it has; its incarnation is its first owner's."""
    assert await Folder(shard).open(earliest=7) == 7
    assert await Folder(shard).open(earliest=9) == 7
    assert (await read_state(shard)).incarnation == "one"


async def test_a_claimed_bucket_is_due_again_once_more_is_counted(client: Redis, shard: Shard) -> None:
    """Due = counted - claimed; gone at 0, with its place in the order."""
    await fold(shard, record(0, "1", data={"quantity": 10}))
    bucket = f"{ACME}|0|{HOUR}"
    await client.hdel(shard.keys.due, bucket)  # what folding a claim of all 10 units does
    await client.zrem(shard.keys.due_order, bucket)

    await fold(shard, record(1, "2", data={"quantity": 3}), record(2, "1", data={"quantity": 10}))

    found = await stored(client, shard)
    assert (found.due, found.order) == ({bucket: 3}, {bucket: HOUR})
    assert found.hours == {(ACME, 0, HOUR): 13}


async def test_a_batch_of_duplicates_alone_makes_nothing_due(client: Redis, shard: Shard) -> None:
    """No counter at 0, no bucket at 0."""
    await fold(shard, record(0))
    await client.delete(shard.keys.due, shard.keys.due_order, shard.keys.hours(ACME, HOUR // 24))

    answer = await fold(shard, record(1), record(2))

    assert (answer.verdict, answer.value) == (Verdict.APPLIED, 1)
    assert not (await stored(client, shard)).due
    assert not (await stored(client, shard)).hours
    assert (await read_state(shard)).conservation.duplicate == 2


async def test_an_event_of_no_units_leaves_nothing_but_its_identity(client: Redis, shard: Shard) -> None:
    """Alone, beside others of its bucket, and again: nothing is due for it, and no counter is made."""
    await fold(shard, record(0, "1", data={"quantity": 0}))
    found = await stored(client, shard)
    assert (found.hours, found.days, found.due, found.order) == ({}, {}, {}, {})
    assert sum(map(len, found.sets.values())) == 1

    await fold(shard, record(1, "1", data={"quantity": 5}))
    await fold(shard, record(2, "2", data={"quantity": 0}), record(3, "3", data={"quantity": 4}))

    found = await stored(client, shard)
    assert (found.hours, found.due) == ({(ACME, 0, HOUR): 4}, {f"{ACME}|0|{HOUR}": 4})
    fates = (await read_state(shard)).conservation
    assert (fates.counted, fates.duplicate) == (3, 1)


async def test_of_a_batch_some_of_which_is_known_the_rest_counts(client: Redis, shard: Shard) -> None:
    """What the shard already holds is taken back from the very counter it was added to."""
    await fold(shard, record(0, "1", data={"quantity": 5}), record(1, "2", type="voice.ai", data={"quantity": 7}))

    await fold(
        shard,
        record(2, "1", data={"quantity": 50}),
        record(3, "3", data={"quantity": 11}),
        record(4, "2", type="voice.ai", data={"quantity": 70}),
        record(5, "4", type="voice.ai", data={"quantity": 13}),
    )

    assert (await stored(client, shard)).hours == {(ACME, 0, HOUR): 16, (ACME, 4, HOUR): 20}


async def test_the_largest_batch_is_one_call(client: Redis, shard: Shard) -> None:
    """5,000 new events of a billion units each, then the same again: exact, and all of them duplicates."""
    records = [record(offset, str(offset), data={"quantity": 10**9}) for offset in range(5000)]
    folder = Folder(shard)
    await folder.open()

    assert (await folder.apply(records, 0, 5000)).value == 0
    assert (await folder.apply(records, 5000, 10_000)).value == 5000

    assert (await stored(client, shard)).hours == {(ACME, 0, HOUR): 5000 * 10**9}
    assert await client.object("encoding", shard.keys.hours(ACME, HOUR // 24)) == b"listpack"


async def test_what_is_counted_in_a_closed_bucket_is_never_due(client: Redis, new_shard: Callable[[], Shard]) -> None:
    """A refold of a log whose head is gone counts it, and that is all."""
    shard = new_shard()
    folder = Folder(shard)
    await open_shard(shard, Log.USAGE, earliest=7, incarnation="one", may_be_cut=True)
    await close_buckets(shard, "one", Log.USAGE, HOUR)
    assert await folder.open(7) == 7
    times = [(HOUR - 1) * 3600, HOUR * 3600]
    records = [Record(7 + n, event(id=str(n), subject=ACME, time=from_unix(time))) for n, time in enumerate(times)]
    assert (await folder.apply(records, 7, 9)).applied
    found = await stored(client, shard)
    assert sum(found.hours.values()) == 2
    assert [bucket.rsplit("|", 1)[1] for bucket in found.due] == [str(HOUR)]


async def test_a_batch_may_touch_more_buckets_than_lua_takes_at_once(client: Redis, shard: Shard) -> None:
    """3,000 buckets, half of them closed, twice: the due ones are written in several goes, none of them twice."""
    folder = Folder(shard)
    await open_shard(shard, Log.USAGE, earliest=7, incarnation="one", may_be_cut=True)
    await close_buckets(shard, "one", Log.USAGE, HOUR - 249)
    await folder.open(7)
    places = [(meter, HOUR - back) for meter in range(6) for back in range(500)]
    for start in (7, 3007):
        records = [
            record(start + n, f"{start + n}", type=CATALOGUE[meter].name, time=from_unix(hour * 3600))
            for n, (meter, hour) in enumerate(places)
        ]
        assert (await folder.apply(records, start, start + 3000)).applied

    found = await stored(client, shard)
    assert found.hours == {(ACME, meter, hour): 2 for meter, hour in places}
    still_open = {f"{ACME}|{meter}|{hour}": hour for meter, hour in places if hour >= HOUR - 249}
    assert (len(still_open), found.order) == (1500, still_open)
    assert found.due == dict.fromkeys(still_open, 2)
