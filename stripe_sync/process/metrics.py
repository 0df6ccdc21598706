"""What the Stripe worker tells Prometheus."""

import logging
from collections import Counter as Count
from collections.abc import Awaitable, Callable, Collection, Sequence
from math import nan

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from metering.alarms import Distances, Standing, alarms
from metering.outcome import Ambiguous, Delivered, NoMeter, Outcome, Park, ParkReason, RetryLater
from metering.push_fold import Parked
from metering.troubles.finding import Finding
from runtime.clock import Clock
from runtime.trouble_board import TroubleBoard
from stripe_sync.process.call_watch import CallWatch
from stripe_sync.process.comparisons import Comparisons
from stripe_sync.shard.sweep import DueState, SweepReport

log = logging.getLogger(__name__)

_CALL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_FATES = {Delivered: "delivered", RetryLater: "retry", Ambiguous: "ambiguous", NoMeter: "no_meter", Park: "park"}


class StripeSyncMetrics:
    """Counters since this process started; what is unresolved is kept in the push log."""

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: Clock,
        distances: Distances,
        skew_seconds: Callable[[], float | None] = lambda: None,
    ) -> None:
        """`skew_seconds` is the broker's clock less ours, None if it is not known."""
        self._clock = clock
        self._skew_seconds = skew_seconds
        self._distances = distances
        self.board = TroubleBoard(registry)
        self._calls = CallWatch(clock.monotonic)
        self.comparisons = Comparisons(registry)
        self._waiting: dict[int, Count[ParkReason]] = {}
        calls = Counter("stripe_calls", "Meter events sent to Stripe, by fate", ["fate"], registry=registry)
        self._fates = {fate: calls.labels(fate) for fate in (*_FATES.values(), "stop")}
        self._seconds = Histogram(
            "stripe_call_seconds", "From a meter event to its answer", buckets=_CALL_SECONDS, registry=registry
        )
        self._waits = Histogram(
            "stripe_rate_wait_seconds", "Waiting for the rate limit", buckets=_CALL_SECONDS, registry=registry
        )
        self._due = Gauge("stripe_due_units", "Units that no row has claimed", ["shard", "state"], registry=registry)
        self._aside = Gauge(
            "stripe_accounts_aside",
            "With due usage, and no customer or no subscription yet",
            ["shard"],
            registry=registry,
        )
        self._age = Gauge("stripe_due_age_seconds", "Of the oldest units that are due", ["shard"], registry=registry)
        self._left = Gauge(
            "stripe_due_cutoff_seconds", "Until the nearest cut-off of units that are due", ["shard"], registry=registry
        )
        self._in_flight = Gauge("stripe_rows_in_flight", "Rows not settled yet", ["shard"], registry=registry)
        self._parked = Gauge(
            "stripe_rows_parked", "Rows that wait for a person", ["shard", "reason"], registry=registry
        )
        self._clock_skew = Gauge("stripe_clock_skew_seconds", "This machine's clock less Stripe's", registry=registry)
        self._disputed = Gauge("stripe_customers_disputed", "Claimed by several accounts", registry=registry)

    def called(self, outcome: Outcome, seconds: float) -> None:
        """Stripe has answered, or not."""
        self._fates[_FATES.get(type(outcome), "stop")].inc()
        self._seconds.observe(seconds)
        self._calls.see(outcome)

    def timed(self, admit: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """The same rate limit, with its waits measured."""

        async def admit_timed() -> None:
            since = self._clock.monotonic()
            await admit()
            self._waits.observe(self._clock.monotonic() - since)

        return admit_timed

    def watch(self, disputed: Callable[[], int], skew: Callable[[], float | None]) -> None:
        """How many customers are disputed, and this machine's clock less Stripe's, are asked when the page is read."""
        self._disputed.set_function(disputed)
        self._clock_skew.set_function(lambda: nan if (seconds := skew()) is None else seconds)

    def shard(self, number: int, report: SweepReport) -> Sequence[Finding]:
        """How a shard stands; gives what is wrong with it."""
        label, now, sweep = str(number), self._clock.now_ms() / 1000, report.sweep
        for state in DueState:
            self._due.labels(label, state.value).set(sweep.units[state])
        self._aside.labels(label).set(sweep.aside)
        self._age.labels(label).set(0 if sweep.oldest is None else max(0.0, now - sweep.oldest))
        self._left.labels(label).set(float("inf") if sweep.cutoff is None else sweep.cutoff - now)
        self._in_flight.labels(label).set(len(report.in_flight))
        self._tell_parked(number, report.parked)
        standing = Standing(
            cutoff=sweep.cutoff,
            oldest=sweep.oldest,
            in_flight_since=min((entry.prepared_ms / 1000 for entry in report.in_flight), default=None),
            parked_since=min((entry.parked_ms / 1000 for entry in report.parked), default=None),
            disputed=sweep.units[DueState.DISPUTED],
            disputing=sorted(sweep.disputing),
            missing=self.comparisons.missing(number),
            skew=self._skew_seconds() or 0.0,
        )
        found = [*alarms(number, standing, now, self._distances), *report.troubles]
        found += [*self.comparisons.wrong(number), *self._calls.wrong(number)]
        self.board.tell(number, found)
        return found

    def _tell_parked(self, number: int, parked: Collection[Parked]) -> None:
        self._parked.remove_by_labels({"shard": str(number)})
        waiting = Count(entry.reason for entry in parked)
        for reason, rows in waiting.items():
            self._parked.labels(str(number), reason.value).set(rows)
        if more := waiting - self._waiting.get(number, Count()):
            told = ", ".join(f"{rows} {reason}" for reason, rows in sorted(more.items()))
            log.warning("shard %d: rows were parked: %s: billing stripe parked shows them", number, told)
        self._waiting[number] = waiting

    def release(self, numbers: Collection[int]) -> None:
        """Shards that another process owns now are its to tell of."""
        self.board.release(numbers)
        self.comparisons.release(numbers)
        for number in numbers:
            self._waiting.pop(number, None)
            for gauge in (self._due, self._aside, self._age, self._left, self._in_flight, self._parked):
                gauge.remove_by_labels({"shard": str(number)})
