"""What the aggregator tells Prometheus."""

import logging
import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ledger.state import Log
from metering.counting import UsageBatch
from metering.sources import SourceWatch, source_of, tallies

log = logging.getLogger(__name__)

_BATCH_RECORDS = (1, 5, 20, 100, 500, 1000, 2500, 5000)
_BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
MOST_SOURCE_LABELS = 100  # further sources share one label: a label is kept for ever
OTHER_SOURCES = "other"


class AggregatorMetrics:
    """Counters since this process started; what is kept for ever is in the shards' states.

    `now` gives Unix seconds.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._sources = SourceWatch()
        self._labels: set[str] = set()
        self._as_of: dict[int, float] = {}
        self._records = Counter("usage_records", "Records of the usage log by fate", ["fate"], registry=registry)
        self._dead = Counter("usage_dead_letters", "Dead letters", ["reason", "source"], registry=registry)
        self._sizes = Histogram("usage_batch_records", "Records a batch", buckets=_BATCH_RECORDS, registry=registry)
        self._times = Histogram(
            "usage_batch_seconds", "From a batch's records to its answer", buckets=_BATCH_SECONDS, registry=registry
        )
        self._resyncs = Counter("usage_resyncs", "Times that a position was found again", registry=registry)
        self._lag = Gauge("usage_lag_records", "Offsets not folded yet", ["log", "shard"], registry=registry)
        self._ready = Gauge("usage_shard_ready", "1 if readers may see the shard", ["shard"], registry=registry)
        self._age = Gauge("usage_freshness_seconds", "Since the shard was last caught up", ["shard"], registry=registry)
        alarms = Gauge("usage_sources_alarmed", "Sources most of whose events are rejected", registry=registry)
        alarms.set_function(lambda: len(self._sources.alarmed))

    def folded(self, batch: UsageBatch, known: int, seconds: float) -> None:
        """A batch was counted; `known` of its identities the state had already."""
        fates = {
            "duplicate": batch.duplicates + known,
            "dead": len(batch.rejected),
            "rerouted": len(batch.misplaced),
        }
        for fate, count in {"counted": batch.read - sum(fates.values()), **fates}.items():
            self._records.labels(fate).inc(count)
        self._sizes.observe(batch.read)
        self._times.observe(seconds)
        if batch.rejected:
            self._watch_sources(batch)

    def _watch_sources(self, batch: UsageBatch) -> None:
        for tally in tallies(batch.records, [record for record, _ in batch.rejected]):
            if self._sources.see(tally):
                log.warning("most events of source %r are rejected: see their dead letters", tally.source)
        for record, reject in batch.rejected:
            self._dead.labels(reject.reason.value, self._label(source_of(record.value))).inc()

    def _label(self, source: str) -> str:
        if source in self._labels or len(self._labels) < MOST_SOURCE_LABELS:
            self._labels.add(source)
            return source
        return OTHER_SOURCES

    def resynced(self) -> None:
        """A position was lost and is found again."""
        self._resyncs.inc()

    def shard(self, number: int, *, ready: bool, as_of: float | None, lags: Mapping[Log, int]) -> None:
        """How a shard stands. `as_of` in Unix seconds: when it was known to be caught up, None for unchanged."""
        label = str(number)
        self._ready.labels(label).set(1 if ready else 0)
        for name, lag in lags.items():
            self._lag.labels(name.value, label).set(lag)
        if as_of is not None:
            self._as_of[number] = as_of
            self._age.labels(label).set_function(lambda: self._now() - self._as_of[number])

    def release(self, numbers: set[int]) -> None:
        """Shards that another process owns now are its to tell of."""
        for number in numbers:
            label = str(number)
            self._as_of.pop(number, None)
            for gauge in (self._ready, self._age):
                gauge.remove(label)
            for name in Log:
                self._lag.remove(name.value, label)
