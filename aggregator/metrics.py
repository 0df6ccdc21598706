"""What the aggregator tells Prometheus."""

import logging
import time
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from aggregator.readiness import ShardLook
from ledger.state import Log
from metering.alarms import HELD_SECONDS
from metering.counting import UsageBatch
from metering.reject import Reject, RejectReason
from metering.sources import UNREADABLE, SourceWatch, source_of, tallies
from metering.stop import Stop
from metering.troubles.finding import Finding, of_stop
from metering.troubles.names import Trouble
from runtime.trouble_board import TroubleBoard

log = logging.getLogger(__name__)

_BATCH_RECORDS = (1, 5, 20, 100, 500, 1000, 2500, 5000)
_BATCH_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
MOST_SOURCE_LABELS = 100  # further sources share one label: a label is kept for ever
OTHER_SOURCES = "other"
MOST_SOURCES_NAMED = 10  # of those that are alarmed: the others are found once these are mended


class AggregatorMetrics:
    """Counters since this process started; what is kept for ever is in the shards' states.

    `now` gives Unix seconds.
    """

    def __init__(self, registry: CollectorRegistry, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._sources = SourceWatch()
        self._labels: set[str] = set()
        self._as_of: dict[int, float] = {}
        self._held_since: dict[tuple[int, Log], float] = {}
        self._records = Counter("usage_records", "Records of the usage log by fate", ["fate"], registry=registry)
        self._dead = Counter("usage_dead_letters", "Dead letters", ["reason", "source"], registry=registry)
        self._sizes = Histogram("usage_batch_records", "Records a batch", buckets=_BATCH_RECORDS, registry=registry)
        self._times = Histogram(
            "usage_batch_seconds", "From a batch's records to its answer", buckets=_BATCH_SECONDS, registry=registry
        )
        self._table_dead = Counter(
            "table_dead_letters", "Dead letters of the accounts' and keys' logs", ["log", "reason"], registry=registry
        )
        self._positions = Counter(
            "usage_positions", "Times that a partition's position was found, at a start or again", registry=registry
        )
        self._lag = Gauge("usage_lag_records", "Offsets not folded yet", ["log", "shard"], registry=registry)
        self._ready = Gauge("usage_shard_ready", "1 if readers may see the shard", ["shard"], registry=registry)
        self._waited = Gauge(
            "usage_lag_seconds", "At most so long the oldest record waits to be folded", ["shard"], registry=registry
        )
        self._held = Gauge(
            "usage_held_seconds", "So long an open transaction holds records back", ["log", "shard"], registry=registry
        )
        self._age = Gauge("usage_freshness_seconds", "Since the shard was last caught up", ["shard"], registry=registry)
        stop_labels = ["shard", "log", "reason"]
        self._stopped = Gauge("usage_shard_stopped", "1: the log can't be folded on", stop_labels, registry=registry)
        self._stopped_at = Gauge(
            "usage_shard_stopped_offset", "The first offset that was not folded", stop_labels, registry=registry
        )
        self.board = TroubleBoard(registry)
        self._stops: dict[int, set[tuple[str, str, str]]] = {}
        alarmed = Gauge("usage_sources_alarmed", "Sources most of whose events are rejected", registry=registry)
        alarmed.set_function(lambda: len(self._sources.alarmed))

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
            self._dead.labels(reject.reason.value, self._label(source_of(record))).inc()

    def _label(self, source: str) -> str:
        if source in self._labels or len(self._labels) < MOST_SOURCE_LABELS:
            self._labels.add(source)
            return source
        return OTHER_SOURCES

    def passed_by(self, offsets: int) -> None:
        """Offsets of the usage log were passed by, as ordered."""
        self._records.labels("quarantined").inc(offsets)
        self._dead.labels(RejectReason.QUARANTINED.value, UNREADABLE).inc(offsets)

    def table_rejected(self, log: Log, reject: Reject) -> None:
        """A record of the accounts' or keys' log became a dead letter."""
        self._table_dead.labels(log.value, reject.reason.value).inc()

    def positioned(self) -> None:
        """A partition's position was asked for: at a start, after a rebalance, or because it was lost."""
        self._positions.inc()

    def shard(self, number: int, look: ShardLook) -> None:
        """How a shard stands. A shard that was never caught up lags since this process first saw it."""
        label, lags = str(number), look.lags()
        self._ready.labels(label).set(1 if look.ready else 0)
        for name, lag in lags.items():
            self._lag.labels(name.value, label).set(lag)
        since = self._as_of.setdefault(number, self._now()) if look.as_of is None else look.as_of
        self._as_of[number] = since
        if look.as_of is not None:
            self._age.labels(label).set_function(lambda: self._now() - self._as_of[number])
        behind = any(lags.values())
        self._waited.labels(label).set_function(lambda: self._now() - self._as_of[number] if behind else 0.0)
        for name in lags:
            self._see_held((number, name), held=name in look.held())
        self._show_stops(number, look.stops)
        self.board.tell(number, [*self._wrong(number, look), *self.sources_rejected(number)])

    def sources_rejected(self, number: int) -> list[Finding]:
        """The sources most of whose events are rejected, as findings of a shard: it is about the whole process."""
        alarmed = sorted(self._sources.alarmed)[:MOST_SOURCES_NAMED]
        return [Finding(Trouble.SOURCE_REJECTED, number, {"source": source}) for source in alarmed]

    def _wrong(self, number: int, look: ShardLook) -> list[Finding]:
        now = self._now()
        stopped = [of_stop(number, log.words, stop, int(now * 1000)) for log, stop in look.stops.items()]
        held = {name: now - since for (shard, name), since in self._held_since.items() if shard == number}
        return stopped + [
            Finding(
                Trouble.TRANSACTION_OPEN,
                number,
                {"log": name.words, "writer": "", "seconds": seconds, "records": look.lags()[name]},
            )
            for name, seconds in held.items()
            if seconds >= HELD_SECONDS
        ]

    def _see_held(self, place: tuple[int, Log], *, held: bool) -> None:
        if held:
            self._held_since.setdefault(place, self._now())
        else:
            self._held_since.pop(place, None)
        number, log = place
        self._held.labels(log.value, str(number)).set_function(
            lambda: self._now() - self._held_since[place] if place in self._held_since else 0.0
        )

    def _show_stops(self, number: int, stops: Mapping[Log, Stop]) -> None:
        shown = {(str(number), log.value, stop.reason): stop.offset for log, stop in stops.items()}
        for gone in self._stops.pop(number, set()) - shown.keys():
            self._stopped.remove(*gone)
            self._stopped_at.remove(*gone)
        for labels, offset in shown.items():
            self._stopped.labels(*labels).set(1)
            self._stopped_at.labels(*labels).set(offset)
        if shown:
            self._stops[number] = set(shown)

    def release(self, numbers: set[int]) -> None:
        """Shards that another process owns now are its to tell of."""
        self.board.release(numbers)
        for number in numbers:
            label = str(number)
            for gauge in (self._ready, self._age, self._waited):
                gauge.remove(label)
            for name in Log:
                self._held_since.pop((number, name), None)
                for by_log in (self._lag, self._held):
                    by_log.remove(name.value, label)
            self._as_of.pop(number, None)
            self._show_stops(number, {})
