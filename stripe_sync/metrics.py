"""What the Stripe worker tells Prometheus."""

import logging
from collections import Counter as Count
from collections.abc import Awaitable, Callable, Collection

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from metering.alarms import Alarm, Distances, Standing, alarms
from metering.outcome import Ambiguous, Delivered, Outcome, Park, RetryLater
from metering.push_fold import Parked
from runtime.clock import Clock
from stripe_sync.standing import DueState, ShardReport

log = logging.getLogger(__name__)

_CALL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FATES = {Delivered: "delivered", RetryLater: "retry", Ambiguous: "ambiguous", Park: "park"}


class StripeSyncMetrics:
    """Counters since this process started; what is unresolved is kept in the push log."""

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: Clock,
        distances: Distances,
        skew_seconds: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """`skew_seconds` is the broker's clock less ours."""
        self._clock = clock
        self._skew_seconds = skew_seconds
        self._distances = distances
        self._ringing: dict[int, set[Alarm]] = {}
        calls = Counter("stripe_calls", "Meter events sent to Stripe, by fate", ["fate"], registry=registry)
        self._fates = {fate: calls.labels(fate) for fate in (*_FATES.values(), "stop")}
        self._seconds = Histogram(
            "stripe_call_seconds", "From a meter event to its answer", buckets=_CALL_SECONDS, registry=registry
        )
        self._waits = Histogram(
            "stripe_rate_wait_seconds", "Waiting for the rate limit", buckets=_CALL_SECONDS, registry=registry
        )
        self._due = Gauge("stripe_due_units", "Units that no row has claimed", ["shard", "state"], registry=registry)
        self._age = Gauge("stripe_due_age_seconds", "Of the oldest units that are due", ["shard"], registry=registry)
        self._left = Gauge(
            "stripe_due_cutoff_seconds", "Until the nearest cut-off of units that are due", ["shard"], registry=registry
        )
        self._in_flight = Gauge("stripe_rows_in_flight", "Rows not settled yet", ["shard"], registry=registry)
        self._parked = Gauge(
            "stripe_rows_parked", "Rows that wait for a person", ["shard", "reason"], registry=registry
        )
        self._alarms = Gauge("stripe_alarm", "1 while somebody should look", ["shard", "alarm"], registry=registry)
        self._missing = Gauge(
            "stripe_missing_units", "Accepted units that Stripe's summaries lack", ["shard"], registry=registry
        )
        self._comparisons = Counter(
            "stripe_comparisons", "With Stripe's summaries, of a shard: ended or failed", ["fate"], registry=registry
        )
        self._disputed = Gauge("stripe_customers_disputed", "Claimed by several accounts", registry=registry)

    def called(self, outcome: Outcome, seconds: float) -> None:
        """Stripe has answered, or not."""
        self._fates[_FATES.get(type(outcome), "stop")].inc()
        self._seconds.observe(seconds)

    def timed(self, admit: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The same rate limit, with its waits measured."""

        async def admit_timed() -> None:
            since = self._clock.monotonic()
            await admit()
            self._waits.observe(self._clock.monotonic() - since)

        return admit_timed

    def watch_disputes(self, count: Callable[[], int]) -> None:
        """How many customers are disputed is asked when the page is read."""
        self._disputed.set_function(count)

    def compared(self, shard: int, missing: int | None) -> None:
        """A comparison with Stripe's summaries has ended, or failed (None): the last one's units stay."""
        self._comparisons.labels("failed" if missing is None else "ended").inc()
        if missing is not None:
            self._missing.labels(str(shard)).set(missing)

    def shard(self, number: int, report: ShardReport) -> None:
        """How a shard stands; rings its alarms, each once when it begins."""
        label, now, sweep = str(number), self._clock.now_ms() / 1000, report.sweep
        for state in DueState:
            self._due.labels(label, state.value).set(sweep.units[state])
        self._age.labels(label).set(0 if sweep.oldest is None else max(0.0, now - sweep.oldest))
        self._left.labels(label).set(float("inf") if sweep.cutoff is None else sweep.cutoff - now)
        self._in_flight.labels(label).set(len(report.in_flight))
        self._tell_parked(label, report.parked)
        since = min((entry.prepared_ms / 1000 for entry in report.in_flight), default=None)
        standing = Standing(sweep.cutoff, sweep.oldest, since, self._skew_seconds())
        self._ring(number, alarms(standing, now, self._distances), standing)

    def _tell_parked(self, label: str, parked: Collection[Parked]) -> None:
        self._parked.remove_by_labels({"shard": label})
        for reason, rows in Count(entry.reason for entry in parked).items():
            self._parked.labels(label, reason.value).set(rows)

    def _ring(self, number: int, ringing: set[Alarm], standing: Standing) -> None:
        for alarm in Alarm:
            self._alarms.labels(str(number), alarm.value).set(alarm in ringing)
        for alarm in sorted(ringing - self._ringing.get(number, set())):
            log.error("alarm: shard %d: %s: %s", number, alarm.value, standing)
        self._ringing[number] = ringing

    def release(self, numbers: Collection[int]) -> None:
        """Shards that another process owns now are its to tell of."""
        for number in numbers:
            self._ringing.pop(number, None)
            for gauge in (self._due, self._age, self._left, self._in_flight, self._parked, self._alarms, self._missing):
                gauge.remove_by_labels({"shard": str(number)})
