"""Which rows come next."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence

from ledger.due import Quote, Quotes, bring_back, list_due, quote_due, set_aside
from ledger.pushes import read_held
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.billing_time import BY_RECORD_ALONE, Wait, stamp
from metering.bucket import hour_of
from metering.meters import BY_INDEX
from metering.push_log import MAX_ROWS, Prepared, StripeIdentity
from metering.row import MAX_VALUE, Row, split_bucket_key
from runtime.clock import Clock
from stripe_sync.shard.breaches import Breaches
from stripe_sync.shard.claims import MayBill, anybody
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.sweep import DueState, Sweep
from stripe_sync.troubles import EVERYBODYS, Troubles


def row_of(quote: Quote, *, now: int, grace: int) -> Row | Wait | None:
    """The next row of a bucket, or why there is none; None where nothing is due any more.

    More than Stripe takes at once is left for the rows that follow, each from where the last one ends.

    Args:
        quote: the bucket as it stands.
        now: Unix seconds.
        grace: Stripe's finalisation grace in seconds.
    """
    account, meter, hour = split_bucket_key(quote.bucket)
    if quote.due <= 0 or quote.due > quote.counted:  # claimed meanwhile, or older than what units are kept for
        return None
    stamped = stamp(hour, quote.account, now=now, grace=grace)
    if isinstance(stamped, Wait) or quote.account.customer is None:
        return stamped if isinstance(stamped, Wait) else Wait.NO_CUSTOMER
    start = quote.counted - quote.due
    return Row(
        account=account,
        meter=BY_INDEX[meter].name,
        hour=hour,
        start=start,
        end=min(quote.counted, start + MAX_VALUE),
        customer=quote.account.customer,
        timestamp=stamped.timestamp,
        carried=stamped.carried,
    )


class Planner:
    """Sweeps one shard's due buckets, oldest hour first, once per push interval.

    Buckets that only another record of their account can make billable are set aside, so that no sweep comes to them
    again before that: free accounts cost a sweep nothing for each of their buckets.

    A sweep comes to each hour once, so that no bucket is pushed twice in it however fast it grows. `last_sweep` is
    what the last whole one has seen. A bucket that no row can be made of is left due, in `troubles`, and ends nothing.
    """

    def __init__(
        self,
        shard: Shard,
        identity: StripeIdentity,
        pace: Pace,
        clock: Clock,
        may_bill: MayBill = anybody,
        is_absent: Callable[[str], bool] = lambda _meter: False,
    ) -> None:
        """`may_bill`: whether a customer is an account's and nobody else's; `is_absent`: if Stripe lacks a meter."""
        self._is_absent = is_absent
        self._may_bill = may_bill
        self._shard = shard
        self._identity = identity
        self._pace = pace
        self._clock = clock
        self._hour: int | None = None  # where the sweep under way goes on; None between two sweeps
        self._listed: deque[str] = deque()
        self._deferred: list[str] = []  # of this sweep: another row of their minute, or of themselves, goes first
        self._partial = set[str]()  # of this sweep: more was due than Stripe takes at once
        self._troubled = set[str]()  # of this sweep
        self._next_sweep = clock.monotonic()
        self._sweep = Sweep.empty()
        self.breaches = Breaches(pace.alarm_units, clock)
        self.last_sweep = Sweep.empty()
        self.troubles = Troubles("no row can be made of the bucket, which is left due")

    def seconds_to_sweep(self) -> float:
        """0 while a sweep is under way; else the time until the next may begin."""
        return 0.0 if self._sweeping else max(0.0, self._next_sweep - self._clock.monotonic())

    @property
    def _sweeping(self) -> bool:
        return self._hour is not None or bool(self._listed)

    async def plan(self, held: set[str] | None = None) -> Prepared | None:
        """The next record to append, or None while nothing may be planned.

        Args:
            held: buckets and minutes of rows that were planned and are not folded yet; those of the record are added.

        Raises:
            NotReadyError: the shard is being folded.
        """
        held = set() if held is None else held
        now = self._clock.now_ms() // 1000
        if not self._sweeping:
            self._begin()
        try:
            while page := await self._page(now):
                prepared = await self._prepare(page, now, held)
                if prepared is not None:
                    return prepared
            self.last_sweep = self._sweep
            self.troubles.keep(self._troubled)
        except NotReadyError:  # what was listed is no longer all there is
            self._hour, self._next_sweep = None, self._clock.monotonic()
            self._listed.clear()
            self._deferred.clear()
            raise
        return None

    def _begin(self) -> None:
        """Begins the next sweep if it is time, else gives the deferred buckets of the last one another look."""
        began = self._clock.monotonic()
        if began >= self._next_sweep:
            self._hour, self._next_sweep = 0, began + self._pace.push_interval
            self._sweep = Sweep.empty()
            self._partial.clear()
            self._troubled.clear()
        else:
            self._listed.extend(self._deferred)
        self._deferred.clear()

    async def _page(self, now: int) -> list[str]:
        """The next buckets to look at; none at the end of the sweep."""
        if self._hour == 0:
            self._sweep.aside = await bring_back(self._shard)
        while len(self._listed) < MAX_ROWS and self._hour is not None:
            due = await list_due(self._shard, self._hour, hour_of(now))
            self._hour = due.hour + 1 if due else None
            self._listed.extend(due.buckets if due else ())
        return [self._listed.popleft() for _ in range(min(MAX_ROWS, len(self._listed)))]

    async def _prepare(self, buckets: list[str], now: int, held: set[str]) -> Prepared | None:
        drawn, fence = list[tuple[Quote, Row | Wait]](), 0
        for quotes in await self._quoted(buckets):
            fence = max(fence, quotes.usage_fence)
            drawn += self._drawn(quotes.quotes, now)
        await set_aside(self._shard, [quote for quote, row in drawn if row in BY_RECORD_ALONE])
        drawn = [(quote, row) for quote, row in drawn if row not in BY_RECORD_ALONE]
        names = [name for _, row in drawn if isinstance(row, Row) for name in (row.bucket_key, row.minute_key)]
        unresolved = await read_held(self._shard, names)  # later than the quotes: who looks twice is told by the fold
        rows = list[Row]()
        for quote, row in drawn:
            try:
                chosen = self._chosen(quote, row, now, unresolved, held)
            except Exception as error:
                self._give_up(quote.bucket, error, quote.due)
                continue
            if chosen is not None:
                held |= {chosen.bucket_key, chosen.minute_key}
                rows.append(chosen)
        if not rows:
            return None
        planned_ms = self._clock.now_ms()
        return Prepared(identity=self._identity, usage_fence=fence, rows=tuple(rows), planned_ms=planned_ms)

    async def _quoted(self, buckets: list[str]) -> list[Quotes]:
        """All at once; one by one where one of them can't be quoted."""
        try:
            return [await quote_due(self._shard, buckets)]
        except EVERYBODYS:
            raise
        except Exception as error:
            if len(buckets) == 1:
                self._give_up(buckets[0], error, 0)
                return []
        return [quotes for bucket in buckets for quotes in await self._quoted([bucket])]

    def _give_up(self, bucket: str, error: Exception, due: int) -> None:
        self.troubles.note(bucket, error)
        self._troubled.add(bucket)
        self._sweep.units[DueState.UNPLANNABLE] += due

    def _drawn(self, quotes: Sequence[Quote], now: int) -> Iterator[tuple[Quote, Row | Wait]]:
        """The buckets that have something due, each with its next row or why there is none."""
        for quote in quotes:
            self.breaches.see(quote.bucket, quote.counted)
            try:
                row = row_of(quote, now=now, grace=self._pace.grace)
            except Exception as error:
                self._give_up(quote.bucket, error, quote.due)
                continue
            self.troubles.forget(quote.bucket)
            if row is not None:
                yield quote, row

    def _chosen(
        self, quote: Quote, row: Row | Wait, now: int, unresolved: Collection[str], held: Collection[str]
    ) -> Row | None:
        """The bucket's next row; None while there is none to plan."""
        state = self._state(row, unresolved, held)
        self._sweep.see(quote, state, now=now, grace=self._pace.grace)
        if state is DueState.BILLABLE and isinstance(row, Row):
            if row.end < quote.counted:
                self._partial.add(quote.bucket)
                self._deferred.append(quote.bucket)
            return row
        if state is DueState.HELD and (quote.bucket not in unresolved or quote.bucket in self._partial):
            self._deferred.append(quote.bucket)
        return None

    def _state(self, row: Row | Wait | None, *held: Collection[str]) -> DueState:
        if not isinstance(row, Row):
            return DueState.NOT_BEGUN
        if any(row.bucket_key in each or row.minute_key in each for each in held):
            return DueState.HELD
        if self._is_absent(row.meter):
            return DueState.NO_METER
        return DueState.BILLABLE if self._may_bill(row.account, row.customer) else DueState.DISPUTED
