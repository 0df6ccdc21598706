"""What is told of a shard now and then: to the metrics, and by notices to `billing status`."""

from collections.abc import Callable, Mapping, Sequence

from ledger.notices import Author, post_notices
from ledger.pushes import Rows, read_parked_rows
from ledger.shard import Shard
from metering.push_fold import InFlight
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from runtime.clock import Clock
from stripe_sync.shard.sweep import Sweep, SweepReport
from stripe_sync.troubles import Troubles

REPORT_SECONDS = 10.0
LEAST_REST = 20  # times as long as a look took: a hundred thousand parked rows take a second or two to read

Report = Callable[[int, SweepReport], Sequence[Finding]]
"""Is told how a shard stands; gives what a person must know of it."""


class Reporter:
    """One shard's. `troubles` are those that its worker gathers, by what `billing status` calls them."""

    def __init__(self, shard: Shard, clock: Clock, report: Report, troubles: Mapping[Trouble, list[Troubles]]) -> None:
        self._shard = shard
        self._clock = clock
        self._report = report
        self._unreadable = Troubles("another version has written the row: it stays as it is")
        self._troubles = troubles
        self._next = clock.monotonic()
        self._told = True  # what the worker before may have left

    async def warn(self, said: Sequence[Finding]) -> None:
        """While nothing is known of the shard: tells if it is time and there is something to say all the same."""
        if said and self._is_time():
            await self._say(self._report(self._shard.number, SweepReport(Sweep.empty(), [], [], said)))

    async def tell(self, sweep: Sweep, in_flight: Rows[InFlight], said: Sequence[Finding]) -> None:
        """Tells if it is time; `said` goes with it."""
        if not self._is_time():
            return
        began = self._clock.monotonic()
        parked = await read_parked_rows(self._shard)
        self._next = max(self._next, began + LEAST_REST * (self._clock.monotonic() - began))
        self._note(in_flight.unreadable | parked.unreadable)
        rows = list(in_flight.entries.values()), list(parked.entries.values())
        report = SweepReport(sweep, *rows, [*self._sentences(), *said])
        await self._say(self._report(self._shard.number, report))

    def _is_time(self) -> bool:
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + REPORT_SECONDS
        return True

    async def _say(self, notices: Sequence[Finding]) -> None:
        if notices or self._told:
            await post_notices(self._shard, Author.STRIPE_WORKER, notices)
        self._told = bool(notices)

    def _note(self, unreadable: Mapping[str, ValueError]) -> None:
        self._unreadable.keep(unreadable.keys())
        for name, error in unreadable.items():
            self._unreadable.note(name, error)

    def _sentences(self) -> list[Finding]:
        found = {trouble: [*troubles] for trouble, troubles in self._troubles.items()}
        found.setdefault(Trouble.UNSENDABLE, []).append(self._unreadable)
        return [
            Finding(trouble, self._shard.number, detail=str(each))
            for trouble, troubles in found.items()
            for each in troubles
            if len(each)
        ]
