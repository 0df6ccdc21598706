"""The scripts that fold the push log agree with the fold that the domain defines, whatever is in the log."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.pushes import fold_push
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, open_shard
from metering.meters import BY_NAME
from metering.outcome import ParkReason
from metering.push_log import Prepared, PushState, Settled, Settlement, ShardDivergedError, fold
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


Step = Count | Plan | Settle | Claim

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
logs = st.lists(st.one_of(counting, planning, settling, planning, settling, claiming), max_size=25)


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

    def record(self, step: Plan | Settle | Claim) -> Prepared | Settled | None:
        """The step's record, or None if it has nothing to say."""
        match step:
            case Settle():
                named = [self.planned[index] for index in step.rows if index < len(self.planned)]
                reason = ParkReason.REFUSED if step.parked else None
                settlements = [Settlement(identifier=name_of(row), parked=reason) for row in named]
                return Settled(settlements=tuple(settlements)) if settlements else None
            case Claim():
                rows = [counted_row(step.bucket, step.start, step.start + step.units, "cus_1", carried=False)]
            case Plan():
                rows = list(self._rows(step))
        self.planned += rows
        return Prepared(identity=IDENTITY, usage_fence=0, rows=tuple(rows)) if rows else None

    def _rows(self, step: Plan) -> Iterator[Row]:
        seen = self.history[max(0, len(self.history) - 1 - step.ago)]
        for bucket in step.buckets:
            account, meter, hour = BUCKETS[bucket]
            claimed, counted = seen.get(bucket_key(account, BY_NAME[meter].index, hour), (0, 0))
            if counted > claimed:
                yield counted_row(bucket, claimed, counted, step.customer, carried=step.carried)


async def replay(url: str, prefix: str, steps: list[Step]) -> None:
    """Folds the same log both ways and compares after every record."""
    with redis.Redis.from_url(url) as plain:
        async with Redis.from_url(url) as client:
            shard = Ledger(RedisStore(client), prefix, 1).shard(0)
            counts, state, writers = Counts(shard), PushState(), Writers()
            await counts.fold(ready=False)
            await open_shard(shard, Log.PUSHES, earliest=0, incarnation="first")
            offset = 0
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
                answer = await fold_push(shard, record, offset, 1000 + offset)
                try:
                    fold(state, record, 1000 + offset)
                except ShardDivergedError:
                    assert answer.verdict is Verdict.DIVERGED
                    return
                assert (answer.verdict, answer.fence) == (Verdict.APPLIED, offset + 1)
                offset += 1
                assert of_shard(plain, shard.keys, state.counted) == of_state(state)
                writers.saw(state)


@pytest.fixture(scope="module")
def prefixes(redis_url: str) -> Iterator[Iterator[str]]:
    """A prefix for each example; all keys are deleted at the end."""
    yield (f"push-fold-{id(redis_url)}-{number}:" for number in count())
    with redis.Redis.from_url(redis_url) as client:
        for key in client.scan_iter(match=f"push-fold-{id(redis_url)}-*", count=1000):
            client.unlink(key)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=logs)
@example([Count(0, 3), Plan((0,), 0, "cus_1", False), Count(0, 2), Settle((0,), True), Plan((0, 1), 0, "cus_1", False)])
@example([Count(0, 3), Count(4, 2), Plan((0, 4), 0, "cus_1", True), Settle((0,), False), Plan((4,), 0, "cus_1", True)])
@example([Count(0, 3), Claim(0, 0, 4)])
def test_the_scripts_fold_as_the_domain_says(redis_url: str, prefixes: Iterator[str], steps: list[Step]) -> None:
    """In flight, parked, claimed, accepted, held, and the order of what is due: the same after every record.

    Planners race on states that are records old, plan overlapping buckets and minutes, and settle rows that were
    never accepted, or twice.
    """
    asyncio.run(replay(redis_url, next(prefixes), steps))
