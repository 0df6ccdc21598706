"""What Prometheus is told."""

from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from aggregator.metrics import MOST_SOURCE_LABELS, AggregatorMetrics
from aggregator.readiness import ShardLook
from ledger.state import Log
from metering.counting import Interval, usage_batches
from metering.reject import Reject, RejectReason
from tests.aggregator.conftest import ELSEWHERE, HOME, PARTITIONS
from tests.metering.events import NOON_MS, Record, event

ENDS = {Log.USAGE: 10, Log.ACCOUNTS: 2, Log.API_KEYS: 0}


@dataclass
class Bench:
    """Metrics on a clock to be set."""

    now: float = 1000.0
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.metrics = AggregatorMetrics(self.registry, now=lambda: self.now)

    def value(self, name: str, **labels: str) -> float | None:
        """One sample; None for one that there is not."""
        return self.registry.get_sample_value(name, labels)

    def fold(self, *values: bytes, known: int = 0) -> None:
        """A batch of records was counted."""
        interval = Interval(0, len(values), [Record(n, value, NOON_MS) for n, value in enumerate(values)])
        for batch in usage_batches(interval, partition=HOME, partitions=PARTITIONS, high_ms=0, set_groups=256):
            self.metrics.folded(batch, known, 0.02)


@pytest.fixture
def bench() -> Bench:
    """Fresh ones."""
    return Bench()


def test_records_are_told_by_their_fate_and_the_fates_are_all_there_is(bench: Bench) -> None:
    """Conservation, since this process started; sizes and times of batches beside it."""
    garbage, elsewhere = b"garbage", event(id="4", subject=ELSEWHERE)
    bench.fold(event(id="1"), event(id="1"), event(id="2"), event(id="3"), garbage, elsewhere, known=1)

    fates = {
        fate: bench.value("usage_records_total", fate=fate) for fate in ("counted", "duplicate", "dead", "rerouted")
    }
    assert fates == {"counted": 2, "duplicate": 2, "dead": 1, "rerouted": 1}
    assert bench.value("usage_batch_records_sum") == 6
    assert bench.value("usage_batch_seconds_sum") == pytest.approx(0.02)


def test_dead_letters_are_told_by_reason_and_source(bench: Bench) -> None:
    """So that the one who must mend it is found; and the tables' by log and reason."""
    bench.fold(event(source="/sms", type="fax"), b"garbage")
    bench.metrics.table_rejected(Log.ACCOUNTS, Reject(RejectReason.INVALID_EVENT, "why"))

    assert bench.value("usage_dead_letters_total", reason="unknown_meter", source="/sms") == 1
    assert bench.value("table_dead_letters_total", log="accounts", reason="invalid_event") == 1


def test_sources_beyond_a_number_share_a_label(bench: Bench) -> None:
    """A producer that makes its source up anew each time must not fill the memory."""
    bench.fold(*(event(id=str(n), source=f"/{n}", type="fax") for n in range(MOST_SOURCE_LABELS + 5)))

    assert bench.value("usage_dead_letters_total", reason="unknown_meter", source="other") == 5


def look(fence: int, as_of: float | None) -> ShardLook:
    """A shard whose usage is folded up to there."""
    return ShardLook(as_of is not None, as_of, {**ENDS, Log.USAGE: fence}, ENDS)


def test_a_shard_that_keeps_up_has_no_lag(bench: Bench) -> None:
    """However long ago anything happened to it."""
    bench.metrics.shard(3, look(10, 1000.0))
    bench.now = 1002.0

    assert bench.value("usage_shard_ready", shard="3") == 1
    assert bench.value("usage_lag_records", log="usage", shard="3") == 0
    assert bench.value("usage_lag_seconds", shard="3") == 0
    assert bench.value("usage_freshness_seconds", shard="3") == 2


def test_a_shard_that_is_behind_lags_since_it_was_last_caught_up(bench: Bench) -> None:
    """In records, and in seconds that grow while nobody looks."""
    bench.metrics.shard(3, look(10, 1000.0))
    bench.metrics.shard(3, look(4, 1000.0))
    bench.now = 1007.0

    assert bench.value("usage_lag_records", log="usage", shard="3") == 6
    assert bench.value("usage_lag_seconds", shard="3") == 7


def test_a_shard_that_was_never_caught_up_lags_since_it_was_first_seen(bench: Bench) -> None:
    """A refold; how fresh it is nobody can say."""
    bench.metrics.shard(3, look(0, None))
    bench.now = 1005.0
    bench.metrics.shard(3, look(1, None))

    assert bench.value("usage_lag_seconds", shard="3") == 5
    assert bench.value("usage_shard_ready", shard="3") == 0
    assert bench.value("usage_freshness_seconds", shard="3") is None


def test_a_shard_that_was_lost_is_told_of_no_more(bench: Bench) -> None:
    """Its new owner does that."""
    bench.metrics.shard(3, look(10, 1000.0))
    bench.metrics.release({3, 4})

    for name in ("usage_shard_ready", "usage_lag_seconds", "usage_freshness_seconds"):
        assert bench.value(name, shard="3") is None
    assert bench.value("usage_lag_records", log="usage", shard="3") is None
