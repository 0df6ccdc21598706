"""What Prometheus is told."""

from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from aggregator.metrics import MOST_SOURCE_LABELS, AggregatorMetrics
from aggregator.readiness import ShardLook
from ledger.state import Log
from metering.counting import Interval, usage_batches
from metering.reject import Reject, RejectReason
from metering.stop import Stop, StopReason
from runtime.log_ends import LogEnd
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


def look(fence: int, as_of: float | None, pinned: int = ENDS[Log.USAGE]) -> ShardLook:
    """A shard whose usage is folded up to there; a transaction may be open from `pinned` on."""
    ends = {log: LogEnd(end, end) for log, end in ENDS.items()} | {Log.USAGE: LogEnd(pinned, ENDS[Log.USAGE])}
    return ShardLook(as_of is not None, as_of, {**ENDS, Log.USAGE: fence}, ends)


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


def test_records_behind_an_open_transaction_lag_and_are_told_of(bench: Bench) -> None:
    """In records, in seconds, and as what they are: held back, since all that can be read was folded."""
    bench.metrics.shard(3, look(4, 1000.0, pinned=6))
    assert bench.value("usage_held_seconds", log="usage", shard="3") == 0
    bench.metrics.shard(3, look(6, 1000.0, pinned=6))
    bench.now = 1009.0
    bench.metrics.shard(3, look(6, 1000.0, pinned=6))

    assert bench.value("usage_lag_records", log="usage", shard="3") == 4
    assert bench.value("usage_lag_seconds", shard="3") == 9
    assert bench.value("usage_held_seconds", log="usage", shard="3") == 9
    assert bench.value("usage_held_seconds", log="accounts", shard="3") == 0

    bench.metrics.shard(3, look(10, 1009.0))
    assert bench.value("usage_held_seconds", log="usage", shard="3") == 0


def test_a_shard_that_was_lost_is_told_of_no_more(bench: Bench) -> None:
    """Its new owner does that."""
    bench.metrics.shard(3, look(10, 1000.0))
    bench.metrics.release({3, 4})

    for name in ("usage_shard_ready", "usage_lag_seconds", "usage_freshness_seconds"):
        assert bench.value(name, shard="3") is None
    for name in ("usage_lag_records", "usage_held_seconds"):
        assert bench.value(name, log="usage", shard="3") is None


def test_a_stopped_log_is_told_with_where_and_why(bench: Bench) -> None:
    """As long as it is so, and as long as the shard is this process's."""
    labels = {"shard": "3", "log": "usage", "reason": "rejects"}
    stopped = replace(look(4, 1000.0), stops={Log.USAGE: Stop(StopReason.REJECTS, 4, None, "why", 1)})
    lost = replace(look(4, 1000.0), stops={Log.USAGE: Stop(StopReason.LOG_LOST, 4, None, "why", 1)})

    bench.metrics.shard(3, stopped)
    assert bench.value("usage_shard_stopped", **labels) == 1
    assert bench.value("usage_shard_stopped_offset", **labels) == 4

    for gone in (lambda: bench.metrics.shard(3, lost), lambda: bench.metrics.release({3})):
        bench.metrics.shard(3, stopped)
        gone()
        assert bench.value("usage_shard_stopped", **labels) is None
        assert bench.value("usage_shard_stopped_offset", **labels) is None
    bench.metrics.shard(3, look(10, 1000.0))
    assert bench.value("usage_shard_stopped", **(labels | {"reason": "log_lost"})) is None


def test_a_source_that_is_mostly_rejected_is_a_trouble(bench: Bench) -> None:
    """Of the process: said of whatever shard it folds, until its events are well again."""
    bench.fold(*(event(id=str(n), source="/sms", type="fax") for n in range(100)))

    (found,) = bench.metrics.sources_rejected(3)
    bench.metrics.shard(3, look(10, 1000.0))

    assert str(found) == "most events of /sms are rejected"
    assert bench.value("billing_trouble", shard="3", trouble="source_rejected") == 1


def test_what_a_shard_suffers_from_is_told_by_the_names_of_the_list(bench: Bench) -> None:
    """Stops at once; an open transaction once it has been open for a minute."""
    stopped = replace(look(4, 1000.0), stops={Log.USAGE: Stop(StopReason.REJECTS, 4, None, "why", 1)})
    bench.metrics.shard(3, stopped)
    assert bench.value("billing_trouble", shard="3", trouble="rejects") == 1
    assert bench.metrics.board.words()[0].startswith("shard 3: the usage log has been stopped for ")

    bench.metrics.shard(3, look(6, 1000.0, pinned=6))
    bench.now += 60
    bench.metrics.shard(3, look(6, 1000.0, pinned=6))
    assert bench.value("billing_trouble", shard="3", trouble="rejects") == 0
    assert bench.metrics.board.words() == [
        "shard 3: an open transaction has held the usage log up for 60 s: up to 4 records wait"
    ]
