"""Which rows come next."""

from collections import deque
from collections.abc import Callable, Collection

from ledger.due import Quote, list_due, quote_due
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.billing_time import Wait, stamp
from metering.bucket import hour_of
from metering.meters import BY_INDEX
from metering.push_log import MAX_ROWS, Prepared, StripeIdentity
from metering.row import Row, split_bucket_key
from runtime.clock import Clock
from stripe_sync.pace import Pace
from stripe_sync.standing import DueState, Sweep


def row_of(quote: Quote, *, now: int, grace: int) -> Row | Wait | None:
    """The next row of a bucket, or why there is none; None where nothing is due any more.

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
    return Row(
        account=account,
        meter=BY_INDEX[meter].name,
        hour=hour,
        start=quote.counted - quote.due,
        end=quote.counted,
        customer=quote.account.customer,
        timestamp=stamped.timestamp,
        carried=stamped.carried,
    )


class Planner:
    """Sweeps one shard's due buckets, oldest hour first, once per push interval.

    A sweep comes to each hour once, so that no bucket is pushed twice in it however fast it grows. `last_sweep` is
    what the last whole one has seen.
    """

    def __init__(
        self,
        shard: Shard,
        identity: StripeIdentity,
        pace: Pace,
        clock: Clock,
        may_bill: Callable[[str, str], bool] = lambda _account, _customer: True,
    ) -> None:
        """`may_bill` says whether a customer is an account's and nobody else's."""
        self._may_bill = may_bill
        self._shard = shard
        self._identity = identity
        self._pace = pace
        self._clock = clock
        self._hour: int | None = None  # where the sweep under way goes on; None between two sweeps
        self._listed: deque[str] = deque()
        self._deferred: list[str] = []  # of this sweep: another row of their minute goes first
        self._next_sweep = clock.monotonic()
        self._sweep = Sweep.empty()
        self.last_sweep = Sweep.empty()

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
        else:
            self._listed.extend(self._deferred)
        self._deferred.clear()

    async def _page(self, now: int) -> list[str]:
        """The next buckets to look at; none at the end of the sweep."""
        while len(self._listed) < MAX_ROWS and self._hour is not None:
            due = await list_due(self._shard, self._hour, hour_of(now))
            self._hour = due.hour + 1 if due else None
            self._listed.extend(due.buckets if due else ())
        return [self._listed.popleft() for _ in range(min(MAX_ROWS, len(self._listed)))]

    async def _prepare(self, buckets: list[str], now: int, held: set[str]) -> Prepared | None:
        quotes = await quote_due(self._shard, buckets)
        rows = []
        for quote in quotes.quotes:
            row = row_of(quote, now=now, grace=self._pace.grace)
            state = self._state(row, quotes.held, held)
            if row is not None:
                self._sweep.see(quote, state, now=now, grace=self._pace.grace)
            if state is DueState.BILLABLE and isinstance(row, Row):
                held |= {row.bucket_key, row.minute_key}
                rows.append(row)
            elif isinstance(row, Row) and state is DueState.HELD and row.bucket_key not in quotes.held:
                self._deferred.append(quote.bucket)
        if not rows:
            return None
        return Prepared(identity=self._identity, usage_fence=quotes.usage_fence, rows=tuple(rows))

    def _state(self, row: Row | Wait | None, *held: Collection[str]) -> DueState:
        if not isinstance(row, Row):
            return DueState.NO_CUSTOMER if row is Wait.NO_CUSTOMER else DueState.NEVER
        if any(row.bucket_key in each or row.minute_key in each for each in held):
            return DueState.HELD
        return DueState.BILLABLE if self._may_bill(row.account, row.customer) else DueState.DISPUTED
