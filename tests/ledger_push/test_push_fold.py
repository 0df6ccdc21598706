"""The scripts that fold the push log agree with the fold that the domain defines, whatever is in the log."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Literal

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.push_fold import fold_push
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, close_buckets, open_shard
from metering.meters import BY_NAME
from metering.outcome import ParkReason
from metering.push_fold import PushState, ShardDivergedError, fold
from metering.push_log import (
    Foreign,
    ParkOrder,
    Prepared,
    PushRecord,
    ReissueOrder,
    RetryOrder,
    Settled,
    Settlement,
    WriteOffOrder,
)
from metering.row import Row, bucket_key
from tests.ledger_push.counts import HOUR, NOON, Counts
from tests.ledger_push.rows import IDENTITY, name_of
from tests.ledger_push.shown import of_shard, of_state

BUCKETS = [
    (account, meter, NOON // HOUR + hour) for account in "ab" for meter in ("sms.send", "voice.ai") for hour in (0, 1)
]


@dataclass(frozen=True)
class Count:
    """Some units more."""

    bucket: int
    units: int


@dataclass(frozen=True)
class Plan:
    """A planner that saw the state as it was so many records ago, and stamps rows its own way."""

    buckets: tuple[int, ...]
    ago: int
    customer: str
    carried: bool


@dataclass(frozen=True)
class Settle:
    """A settlement of rows, told by their place among all that were ever planned."""

    rows: tuple[int, ...]
    parked: bool


@dataclass(frozen=True)
class Claim:
    """A row out of the blue."""

    bucket: int
    start: int
    units: int


@dataclass(frozen=True)
class Order:
    """Something that a person wants done with a row, told by its place, so many hours after the record before."""

    kind: Literal["retry", "write_off", "reissue", "park"]
    row: int
    hours: int
    customer: str
    carried: bool
    judged: int = 1001


@dataclass(frozen=True)
class Alien:
    """A record that somebody else has written."""


Step = Count | Plan | Settle | Claim | Order | Alien

counting = st.builds(Count, st.integers(0, len(BUCKETS) - 1), st.integers(1, 5))
planning = st.builds(
    Plan,
    st.lists(st.integers(0, len(BUCKETS) - 1), min_size=1, max_size=6).map(tuple),
    st.integers(0, 3),
    st.sampled_from(["cus_1", "cus_2"]),
    st.booleans(),
)
settling = st.builds(Settle, st.lists(st.integers(0, 30), min_size=1, max_size=4).map(tuple), st.booleans())
claiming = st.builds(Claim, st.integers(0, len(BUCKETS) - 1), st.integers(0, 12), st.integers(1, 4))
ordering = st.builds(
    Order,
    st.sampled_from(["retry", "write_off", "reissue", "park"]),
    st.integers(0, 12),
    st.sampled_from([0, 2, 3, 3]),
    st.sampled_from(["cus_1", "cus_2", "cus_3"]),
    st.booleans(),
    st.integers(1001, 1006),
)
aliens = st.just(Alien())
logs = st.lists(
    st.one_of(counting, planning, settling, planning, settling, claiming, ordering, ordering, aliens), max_size=25
)


@dataclass(frozen=True)
class Head:
    """Where the push log begins, and the hour before which a log that was cut closes its buckets."""

    offset: int
    closed_before: int


WHOLE, LATER = Head(0, 0), NOON // HOUR + 1
heads = st.sampled_from([WHOLE, WHOLE, Head(7, 0), Head(7, LATER)])


def counted_row(bucket: int, start: int, end: int, customer: str, *, carried: bool) -> Row:
    """A row of one of the buckets; carried rows share a timestamp."""
    account, meter, hour = BUCKETS[bucket]
    timestamp = NOON - 24 * HOUR if carried else hour * HOUR
    return Row(
        account=account,
        meter=meter,
        hour=hour,
        start=start,
        end=end,
        customer=customer,
        timestamp=timestamp,
        carried=carried,
    )


class Writers:
    """Turns steps into the records that racing workers would append."""

    def __init__(self) -> None:
        self.counted: dict[str, int] = {}
        self.history: list[dict[str, tuple[int, int]]] = [{}]
        self.planned: list[Row] = []

    def saw(self, state: PushState) -> None:
        """A moment that planners may still believe in."""
        self.history.append({b: (state.claimed.get(b, 0), units) for b, units in state.counted.items()})

    def record(self, step: Plan | Settle | Claim | Order | Alien) -> PushRecord | None:
        """The step's record, or None if it has nothing to say."""
        match step:
            case Order():
                return self._order(step) if step.row < len(self.planned) else None
            case Settle():
                named = [self.planned[index] for index in step.rows if index < len(self.planned)]
                reason = ParkReason.REFUSED if step.parked else None
                settlements = [Settlement(identifier=name_of(row), parked=reason) for row in named]
                return Settled(settlements=tuple(settlements)) if settlements else None
            case Alien():
                return Foreign()
            case Claim():
                rows = [counted_row(step.bucket, step.start, step.start + step.units, "cus_1", carried=False)]
            case Plan():
                rows = list(self._rows(step))
        self.planned += rows
        return Prepared(identity=IDENTITY, usage_fence=0, rows=tuple(rows)) if rows else None

    def _order(self, step: Order) -> PushRecord:
        row, words = self.planned[step.row], {"who": "somebody", "why": "for the test"}
        match step.kind:
            case "retry":
                return RetryOrder(identifier=name_of(row), **words)
            case "write_off":
                return WriteOffOrder(identifier=name_of(row), **words)
            case "park":
                return ParkOrder(namespace=IDENTITY.namespace, row=row, prepared_ms=1, delivered_ms=1000, **words)
            case "reissue":
                stamp = NOON - 24 * HOUR if step.carried else row.hour * HOUR
                new = row.model_copy(update={"customer": step.customer, "timestamp": stamp, "carried": step.carried})
                self.planned.append(new)
                return ReissueOrder(
                    old=name_of(row), parked_ms=step.judged, namespace=IDENTITY.namespace, row=new, **words
                )

    def _rows(self, step: Plan) -> Iterator[Row]:
        seen = self.history[max(0, len(self.history) - 1 - step.ago)]
        for bucket in step.buckets:
            account, meter, hour = BUCKETS[bucket]
            claimed, counted = seen.get(bucket_key(account, BY_NAME[meter].index, hour), (0, 0))
            if counted > claimed:
                yield counted_row(bucket, claimed, counted, step.customer, carried=step.carried)


async def replay(url: str, prefix: str, steps: list[Step], head: Head) -> None:
    """Folds the same log both ways and compares after every record."""
    with redis.Redis.from_url(url) as plain:
        async with Redis.from_url(url) as client:
            shard = Ledger(RedisStore(client), prefix, 1).shard(0)
            counts, writers = Counts(shard), Writers()
            state = PushState(closed_before=head.closed_before, cut=head.offset > 0 and head.closed_before > 0)
            await counts.fold(ready=False)
            await open_shard(shard, Log.PUSHES, earliest=head.offset, incarnation="first", may_be_cut=True)
            await close_buckets(shard, "first", Log.PUSHES, head.closed_before)
            offset, now_ms = head.offset, 1000
            for step in steps:
                if isinstance(step, Count):
                    account, meter, hour = BUCKETS[step.bucket]
                    counts.use(account, meter, step.units, hour * HOUR)
                    await counts.fold(ready=False)
                    key = bucket_key(account, BY_NAME[meter].index, hour)
                    state.counted[key] = state.counted.get(key, 0) + step.units
                    writers.saw(state)
                    continue
                record = writers.record(step)
                if record is None:
                    continue
                now_ms += step.hours * HOUR * 1000 if isinstance(step, Order) else 1
                answer = await fold_push(shard, record, offset, now_ms)
                try:
                    fold(state, record, now_ms)
                except ShardDivergedError:
                    assert answer.verdict is Verdict.DIVERGED
                    return
                assert (answer.verdict, answer.fence) == (Verdict.APPLIED, offset + 1)
                offset += 1
                assert of_shard(plain, shard.keys, state) == of_state(state)
                writers.saw(state)


@pytest.fixture(scope="module")
def prefixes(redis_url: str) -> Iterator[Iterator[str]]:
    """A prefix for each example; all keys are deleted at the end."""
    yield (f"push-fold-{id(redis_url)}-{number}:" for number in count())
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"push-fold-{id(redis_url)}-*", count=1000):
            client.unlink(key)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=logs, head=heads)
@example(
    [Count(0, 3), Plan((0,), 0, "cus_1", False), Count(0, 2), Settle((0,), True), Plan((0, 1), 0, "cus_1", False)],
    WHOLE,
)
@example(
    [Count(0, 3), Count(4, 2), Plan((0, 4), 0, "cus_1", True), Settle((0,), False), Plan((4,), 0, "cus_1", True)], WHOLE
)
@example([Count(0, 3), Claim(0, 0, 4)], WHOLE)
@example([Count(0, 3), Claim(0, 2, 4), Claim(0, 4, 2), Settle((0, 1), False)], Head(7, LATER))
@example([Count(0, 3), Plan((0,), 0, "cus_1", True), Settle((0,), False), Order("park", 0, 3, "cus_1", False)], WHOLE)
def test_the_scripts_fold_as_the_domain_says(
    redis_url: str, prefixes: Iterator[str], steps: list[Step], head: Head
) -> None:
    """In flight, parked, claimed, accepted, held, and the order of what is due: the same after every record.

    Planners race on states that are records old, plan overlapping buckets and minutes, and settle rows that were
    never accepted, or twice.
    """
    asyncio.run(replay(redis_url, next(prefixes), steps, head))
