"""Liveness: a process is alive while what it has to fold gets folded, and while there is nothing to fold."""

import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus

import pytest
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from redis.exceptions import RedisError

from aggregator.liveness import Liveness, Stand, next_stand
from aggregator.metrics import AggregatorMetrics
from aggregator.readiness import FOLDED_LOGS, ReadinessLoop
from ledger.clearing import clear_shard
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from ledger.tables import TableBatch, fold_table
from local.servers.ports import free_port
from metering.stop import Stop, StopReason
from runtime.monitor import STALE_SECONDS, start_monitor
from tests.aggregator.owned import Owned
from tests.aggregator.unreliable import UnreliableStore

CASES = [
    ("idle", None, 10, 10, None),
    ("caught up since", Stand(5, 1.0), 10, 10, None),
    ("something to fold from now on", None, 5, 10, Stand(5, 8.0)),
    ("still there", Stand(5, 1.0), 5, 10, Stand(5, 1.0)),
    ("still there, and more to fold", Stand(5, 1.0), 5, 1000, Stand(5, 1.0)),
    ("it moved", Stand(5, 1.0), 6, 1000, Stand(6, 8.0)),
    ("it moved back: Redis lost state", Stand(5, 1.0), 3, 1000, Stand(3, 8.0)),
    ("it is being cleared", Stand(5, 1.0), None, 1000, None),
]


@pytest.mark.parametrize(("before", "fence", "end", "after"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_a_fence_stands_still_while_there_is_something_to_fold(before, fence, end, after) -> None:
    """One look after another, at 8 s."""
    assert next_stand(before, fence, end, 8.0) == after


@dataclass
class Bench:
    """A process that owns one shard, a clock to be set, and its health page."""

    shard: Shard
    owned: Owned
    port: int
    now: float = 0.0

    def __post_init__(self) -> None:
        self.liveness = Liveness(lambda: self.now)
        metrics = AggregatorMetrics(CollectorRegistry(), lambda: 100.0)
        self.liveness.told = metrics.board.words
        self.loop = ReadinessLoop(self.owned, lambda _: self.shard, watches=[metrics, self.liveness])

    async def turn_at(self, now: float) -> None:
        """One turn that goes well, at a time."""
        self.now = now
        await self.loop.turn()
        self.liveness.beat()

    async def fold(self, end: int) -> None:
        """Folds the accounts up to there."""
        at = (await read_state(self.shard)).fences[Log.ACCOUNTS]
        assert (await fold_table(self.shard, Log.ACCOUNTS, TableBatch(at, end, {}, None))).applied

    def health(self) -> int:
        """What `/healthz` answers."""
        return self.page()[0]

    def page(self) -> tuple[int, str]:
        """The same, and its words."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return int(answer.status), answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode().strip()


@pytest.fixture
async def bench(shard: Shard) -> AsyncIterator[Bench]:
    """Its shard is open and has nothing to fold."""
    for log in FOLDED_LOGS:
        await open_shard(shard, log, earliest=0, incarnation="one")
    bench = Bench(shard, Owned(shard.number), free_port())
    monitor = start_monitor("127.0.0.1", bench.port, CollectorRegistry(), bench.liveness)
    yield bench
    monitor.stop()


async def test_a_process_that_folds_nothing_of_what_there_is_fails_its_health_check(bench: Bench) -> None:
    """Though Redis and Kafka answer and every turn goes well: a fold hangs. It is well again when the fence moves."""
    bench.owned.logs_end[Log.ACCOUNTS] = 10
    await bench.turn_at(1.0)
    await bench.turn_at(STALE_SECONDS)
    assert bench.health() == HTTPStatus.OK

    await bench.turn_at(STALE_SECONDS + 2.0)
    assert bench.health() == HTTPStatus.SERVICE_UNAVAILABLE

    await bench.fold(4)
    await bench.turn_at(STALE_SECONDS + 3.0)
    assert bench.health() == HTTPStatus.OK


async def test_an_idle_process_is_well(bench: Bench) -> None:
    """For as long as it looks."""
    for turn in range(1, 5):
        await bench.turn_at(turn * STALE_SECONDS)
        assert bench.health() == HTTPStatus.OK


async def test_a_process_that_an_open_transaction_holds_back_is_well(bench: Bench) -> None:
    """A restart would change nothing: there is more in the log, and nobody can read it."""
    bench.owned.logs_end[Log.USAGE], bench.owned.pinned[Log.USAGE] = 10, 0
    await bench.turn_at(1.0)

    await bench.turn_at(3 * STALE_SECONDS)

    assert bench.health() == HTTPStatus.OK


async def test_a_shard_that_was_lost_is_not_this_process_s_fault_any_more(bench: Bench) -> None:
    """Its new owner folds it."""
    bench.owned.logs_end[Log.USAGE] = 10
    await bench.turn_at(1.0)
    bench.owned.held = False
    await bench.turn_at(2.0)

    await bench.turn_at(3 * STALE_SECONDS)

    assert bench.health() == HTTPStatus.OK


async def test_a_shard_that_is_being_cleared_waits_without_fault(bench: Bench, client: Redis) -> None:
    """However long a rebuild takes."""
    bench.owned.logs_end[Log.ACCOUNTS] = 10
    await bench.turn_at(1.0)
    await anext(clear_shard(bench.shard, nonce="one", now_ms=1))

    await bench.turn_at(3 * STALE_SECONDS)

    assert bench.health() == HTTPStatus.OK


async def test_a_process_with_a_stopped_shard_is_well_and_says_so(bench: Bench) -> None:
    """To start it anew would mend nothing, and hold up its other shards."""
    bench.owned.logs_end[Log.USAGE] = 10
    await bench.turn_at(1.0)
    bench.owned.stopped = {Log.USAGE: Stop(StopReason.REJECTS, 0, None, "nearly all of it is rejected", 1000)}
    for turn in (2.0, 3 * STALE_SECONDS):
        await bench.turn_at(turn)
        told = (
            f"ok; shard {bench.shard.number}: the usage log has been stopped for 99 s: nearly everything in it is "
            "rejected: nearly all of it is rejected"
        )
        assert bench.page() == (HTTPStatus.OK, told)

    bench.owned.stopped = {}
    await bench.turn_at(4 * STALE_SECONDS)
    assert bench.page() == (HTTPStatus.OK, "ok")
    await bench.turn_at(6 * STALE_SECONDS)
    assert bench.health() == HTTPStatus.SERVICE_UNAVAILABLE


async def test_a_stopped_shard_that_was_lost_is_not_told_of(bench: Bench) -> None:
    """Its new owner does that."""
    bench.owned.stopped = {Log.USAGE: Stop(StopReason.REJECTS, 0, None, "nearly all of it is rejected", 1000)}
    await bench.turn_at(1.0)
    bench.owned.held = False
    await bench.turn_at(2.0)

    assert bench.page() == (HTTPStatus.OK, "ok")


async def test_a_process_whose_turns_fail_is_not_well(bench: Bench, store: UnreliableStore) -> None:
    """Redis does not answer: nothing is learned, nothing beats."""
    await bench.turn_at(1.0)
    bench.now = 2.0 + STALE_SECONDS
    store.lose_call = "mark_ready"

    with pytest.raises(RedisError):
        await bench.loop.turn()

    assert bench.health() == HTTPStatus.SERVICE_UNAVAILABLE
