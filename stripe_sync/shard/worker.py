"""One shard's worker: fold, settle, send, plan, again and again. Knows neither Kafka's client nor the process."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from ledger.pushes import read_accepted, read_in_flight_from
from ledger.reading import NotReadyError
from ledger.shard import Shard
from metering.push_fold import InFlight
from metering.push_log import MAX_ROWS, Settled, StripeIdentity, encode
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from runtime.clock import Clock
from stripe_sync.errors import WrongStripeError
from stripe_sync.push_log.folder import Moment, PushFolder
from stripe_sync.push_log.log import PushLog
from stripe_sync.sending.in_flight import Sending
from stripe_sync.sending.sender import Sender, Work
from stripe_sync.shard.account_facts import account_facts
from stripe_sync.shard.claims import MayBill, anybody
from stripe_sync.shard.limits import Pace
from stripe_sync.shard.planner import Planner
from stripe_sync.shard.reissuer import Reissuer
from stripe_sync.shard.reporting import Report, Reporter
from stripe_sync.stripe_api.stripe_time import ClockFault, no_fault
from stripe_sync.troubles import Troubles

IDLE_SECONDS = 1.0
BEHIND_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a worker is watched by and asks, beyond its shard, its log and Stripe.

    Attributes:
        may_bill: whether a customer is an account's and nobody else's.
        report: told now and then how the shard stands; gives what a person must know.
        beat: called after every turn that went well.
        clock_fault: why nothing may be judged by this machine's clock: nothing is planned or sent then.
    """

    may_bill: MayBill = anybody
    report: Report = lambda _shard, _report: []
    beat: Callable[[], None] = lambda: None
    clock_fault: ClockFault = no_fault


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
        self._identity = identity
        self._clock = clock
        self._most_in_flight = pace.most_in_flight
        self._reissuer = reissuer
        self._around = surroundings
        self._folder = PushFolder(shard, push_log, clock, make_incarnation, surroundings.clock_fault)
        self._gate = sender.gate
        self._planner = Planner(shard, identity, pace, clock, surroundings.may_bill, sender.gate.is_absent)
        self._sending = Sending(sender, clock, pace.most_in_flight // 2)
        self._accounts = Troubles("the account's record can't be read: its rows stay in flight")
        unsendable = [self._accounts, self._sending.troubles, *([reissuer.troubles] if reissuer else [])]
        troubles = {Trouble.UNPLANNABLE: [self._planner.troubles], Trouble.UNSENDABLE: unsendable}
        self._reporter = Reporter(shard, clock, surroundings.report, troubles)

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
        folded, fault = await self._folder.fold_to_end(), self._around.clock_fault()
        if folded is None:
            await self._reporter.warn(self._said(fault))
            return BEHIND_SECONDS
        self._check_identity()
        rows = await read_in_flight_from(self._shard, folded.end)
        if rows is None:  # flushed since, and being folded again
            return BEHIND_SECONDS
        self._sending.keep(rows.entries.keys())
        busy = await self._append_settled()
        if fault is None:
            busy = busy or await self._append_orders()
            await self._start_sending(rows.entries, folded)
            busy = await self._plan() or busy
        await self._reporter.tell(self._planner.last_sweep, rows, self._said(fault))
        if busy:
            return 0.0
        return min(IDLE_SECONDS, self._planner.seconds_to_sweep() or IDLE_SECONDS)

    def _said(self, clock_fault: str | None) -> list[Finding]:
        said = {
            Trouble.CLOCK_OFF: clock_fault,
            Trouble.PUSH_LOG_HELD: self._folder.held,
            Trouble.METER_ABSENT: self._gate.sentence(),
        }
        number = self._shard.number
        found = [Finding(each, number, detail=why) for each, why in said.items() if why is not None]
        return found + self._planner.breaches.findings(number)

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
        await self._folder.append(encode(Settled(settlements=settlements)))
        return True

    async def _append_orders(self) -> bool:
        orders = await self._reissuer.orders() if self._reissuer else []
        for order in orders:
            await self._folder.append(encode(order))
        return bool(orders)

    async def _start_sending(self, in_flight: dict[str, InFlight], folded: Moment) -> None:
        new = {name: entry for name, entry in in_flight.items() if name not in self._sending}
        names = sorted({entry.row.account for entry in new.values()})
        self._accounts.keep(names)
        try:
            accounts = await account_facts(self._shard, names, self._accounts)
        except NotReadyError:  # until when a row may be sent is its account's anchor to say
            return
        for identifier, entry in new.items():
            account = accounts.get(entry.row.account)
            if account is not None and self._gate.lets(entry.row.meter, identifier):
                base = partial(read_accepted, self._shard, entry.row, identifier)
                self._sending.start(Work(identifier, entry, account, folded, base))

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
            await self._folder.append(encode(prepared))
            room -= len(prepared.rows)
        return bool(held)


def describe(shards: Iterable[int]) -> str:
    """Shard numbers for a log line."""
    return ", ".join(map(str, sorted(shards))) or "none"
