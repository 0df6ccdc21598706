"""One shard's worker: fold, settle, send, plan, again and again. Knows neither Kafka's client nor the process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ledger.pushes import read_accepted, read_accounts, read_in_flight_from, read_parked
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.push_fold import InFlight
from metering.push_log import MAX_ROWS, Settled, StripeIdentity, encode
from runtime.clock import Clock
from stripe_sync.errors import WrongStripeError
from stripe_sync.folder import Moment, PushFolder
from stripe_sync.log import PushLog
from stripe_sync.pace import Pace
from stripe_sync.planner import Planner
from stripe_sync.reissuer import Reissuer
from stripe_sync.sender import Sender, Work
from stripe_sync.sending import Sending
from stripe_sync.standing import ShardReport

IDLE_SECONDS = 1.0
REPORT_SECONDS = 10.0
BEHIND_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker is watched by and asks, beyond its shard, its log and Stripe.

    Attributes:
        may_bill: whether a customer is an account's and nobody else's.
        report: told now and then how the shard stands.
        beat: called after every turn that went well.
    """

    may_bill: Callable[[str, str], bool] = lambda _account, _customer: True
    report: Callable[[int, ShardReport], None] = lambda _shard, _report: None
    beat: Callable[[], None] = lambda: None


ALONE = Surroundings()


class ShardWorker:
    """Tells Stripe what one shard counted.

    Each turn starts from the end of the push log, so that whatever another worker did, or this one in an earlier
    life, is known before anything is decided. Rows are sent by tasks of their own: a slow one holds only itself.
    """

    def __init__(  # noqa: PLR0913 - collaborators, wired once
        self,
        shard: Shard,
        push_log: PushLog,
        sender: Sender,
        identity: StripeIdentity,
        *,
        pace: Pace,
        clock: Clock,
        make_incarnation: Callable[[], str],
        reissuer: Reissuer | None = None,
        surroundings: Surroundings = ALONE,
    ) -> None:
        """Without a `reissuer`, rows that missed their cut-off wait for a person."""
        self._shard = shard
        self._log = push_log
        self._identity = identity
        self._clock = clock
        self._most_in_flight = pace.most_in_flight
        self._reissuer = reissuer
        self._around = surroundings
        self._next_report = clock.monotonic()
        self._folder = PushFolder(shard, push_log, clock, make_incarnation)
        self._planner = Planner(shard, identity, pace, clock, surroundings.may_bill)
        self._sending = Sending(sender, clock, pace.most_in_flight // 2)

    async def run(self) -> None:
        """Runs until cancelled, or until something that only a person can mend.

        Raises:
            WrongStripeError: the log is another Stripe account's.
            StripeStoppedError: Stripe does not talk to this key.
        """
        try:
            while True:
                pause = await self.turn()
                self._around.beat()
                if pause > 0:
                    await self._sending.wait(pause)
        finally:
            await self._sending.stop()

    async def turn(self) -> float:
        """One turn; gives the seconds that the next one may be waited for if nothing else happens."""
        self._sending.collect()
        folded = await self._folder.fold_to_end()
        if folded is None:
            return BEHIND_SECONDS
        self._check_identity()
        in_flight = await read_in_flight_from(self._shard, folded.end)
        if in_flight is None:  # flushed since, and being folded again
            return BEHIND_SECONDS
        self._sending.keep(in_flight.keys())
        appended = await self._append_settled() or await self._append_orders()
        await self._start_sending(in_flight, folded)
        planned = await self._plan()
        await self._report(in_flight)
        if appended or planned:
            return 0.0
        return min(IDLE_SECONDS, self._planner.seconds_to_sweep() or IDLE_SECONDS)

    def _check_identity(self) -> None:
        known = self._folder.identity
        if known is not None and known != self._identity:
            raise WrongStripeError(
                f"the push log was written for namespace {known.namespace!r}, account {known.account!r}, "
                f"livemode {known.livemode}; this worker is set up for {self._identity.namespace!r}, "
                f"{self._identity.account!r}, {self._identity.livemode}: nothing was sent"
            )

    async def _append_settled(self) -> bool:
        settlements = self._sending.to_settle()
        if not settlements:
            return False
        await self._log.append(self._shard.number, encode(Settled(settlements=settlements)))
        return True

    async def _append_orders(self) -> bool:
        orders = await self._reissuer.orders() if self._reissuer else []
        for order in orders:
            await self._log.append(self._shard.number, encode(order))
        return bool(orders)

    async def _report(self, in_flight: dict[str, InFlight]) -> None:
        if self._clock.monotonic() < self._next_report:
            return
        self._next_report = self._clock.monotonic() + REPORT_SECONDS
        parked = await read_parked(self._shard)
        report = ShardReport(self._planner.last_sweep, list(in_flight.values()), list(parked.values()))
        self._around.report(self._shard.number, report)

    async def _start_sending(self, in_flight: dict[str, InFlight], folded: Moment) -> None:
        new = {name: entry for name, entry in in_flight.items() if name not in self._sending}
        try:
            accounts = await read_accounts(self._shard, sorted({entry.row.account for entry in new.values()}))
        except NotReadyError:  # until when a row may be sent is its account's anchor to say
            return
        for identifier, entry in new.items():
            base = partial(read_accepted, self._shard, entry.row, identifier)
            self._sending.start(Work(identifier, entry, accounts[entry.row.account], folded, base))

    async def _plan(self) -> bool:
        """Fills the room for rows in flight; nothing of it is sent before it is read back."""
        room, held = self._most_in_flight - len(self._sending), set[str]()
        while room >= MAX_ROWS:
            try:
                prepared = await self._planner.plan(held)
            except NotReadyError:
                break
            if prepared is None:
                break
            await self._log.append(self._shard.number, encode(prepared))
            room -= len(prepared.rows)
        return bool(held)


def describe(shards: Iterable[int]) -> str:
    """Shard numbers for a log line."""
    return ", ".join(map(str, sorted(shards))) or "none"
