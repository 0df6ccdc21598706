"""A shard's counts, made the way the aggregator makes them: published records, decided and folded."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, open_shard
from ledger.tables import TableBatch, fold_table
from ledger.usage import apply_usage
from metering.account import Account
from metering.counting import Interval, usage_batches
from metering.rfc3339 import from_unix
from tests.support.log_record import Record
from tests.support.usage_event import usage_record

NOON = 1_781_956_800  # 2026-06-20T12:00:00Z
HOUR = 3600
FOLDED = (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)
MAPPED = Account(customer="cus_1")


@dataclass
class Counts:
    """The usage log and the accounts log of the only shard of a ledger, and their folds.

    `units` is the truth: what was published, by account and meter.
    """

    shard: Shard
    now_ms: Callable[[], int] = lambda: (NOON + 2 * HOUR) * 1000
    units: Counter[tuple[str, str]] = field(default_factory=Counter)
    usage: list[Record] = field(default_factory=list)
    accounts: list[tuple[str, Account]] = field(default_factory=list)

    def use(self, account: str, meter: str, quantity: int, time: int) -> None:
        """Publishes one event at a Unix second."""
        number = len(self.usage)
        value = usage_record(
            id=str(number), type=meter, subject=account, time=from_unix(time), data={"quantity": quantity}
        )
        self.usage.append(Record(number, self.now_ms(), value))
        self.units[account, meter] += quantity

    def map(self, account: str, facts: Account = MAPPED) -> None:
        """Publishes an account's record."""
        self.accounts.append((account, facts))

    async def fold(self, *, ready: bool = True) -> None:
        """Folds whatever was published, into an empty shard as well; marks it ready."""
        for log in FOLDED:
            state = await open_shard(self.shard, log, earliest=0, incarnation="first")
        note = await note_server(self.shard)
        await self._fold_usage(state.fences[Log.USAGE])
        for offset in range(state.fences[Log.ACCOUNTS], len(self.accounts)):
            name, facts = self.accounts[offset]
            batch = TableBatch(offset, offset + 1, {name: facts.to_json()}, None)
            assert (await fold_table(self.shard, Log.ACCOUNTS, batch)).applied
        if ready:
            ends = {Log.USAGE: len(self.usage), Log.ACCOUNTS: len(self.accounts)}
            marked = await mark_ready(self.shard, ReadyMark.USAGE, note, ends, as_of_ms=self.now_ms())
            assert marked is Readiness.READY

    async def _fold_usage(self, fence: int) -> None:
        state = await open_shard(self.shard, Log.USAGE, earliest=0, incarnation="first")
        for batch in usage_batches(
            Interval(fence, len(self.usage), self.usage[fence:]),
            partition=0,
            partitions=1,
            high_ms=state.high_ms,
            set_groups=state.window.groups(),
        ):
            assert not batch.rejected, batch.rejected
            assert (await apply_usage(self.shard, batch, state.window)).applied
