"""Months of one account's life, day by day; then both logs lose their heads, Redis everything, and all is folded anew.

The months are lived by the domain's own pure folds; the refold is the product's, script by script. Retention cuts each
log at a boundary of its own: the usage log may have lost what the push log still tells of, or the other way round.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from aggregator.folds.usage import UsageFold, UsageTopics
from aggregator.publisher import Message
from aggregator.readiness import ReadyKeeper
from ledger.answer import Verdict
from ledger.due import list_due, quote_due
from ledger.push_fold import fold_push
from ledger.pushes import read_in_flight
from ledger.ready import Readiness
from ledger.shard import Shard
from ledger.state import Log, close_buckets, open_shard
from ledger.tables import TableBatch, fold_table
from metering import retention
from metering.account import Account
from metering.billing_time import Stamp, stamp
from metering.counting import Interval
from metering.push_fold import PushState, fold
from metering.push_log import MAX_ROWS, Prepared, PushRecord, Settled, Settlement, StripeIdentity
from metering.rfc3339 import from_unix
from metering.row import Row, bucket_key
from metering.span import DAY_SECONDS
from runtime.log_ends import LogEnd
from stripe_sync.shard.planner import row_of
from tests.support.log_record import Record
from tests.support.usage_event import usage_record

HOUR, GRACE = 3600, 3600
FIRST_DAY = 20_454 * DAY_SECONDS + 12 * HOUR  # 2026-01-01T12:00:00Z
KEPT_SECONDS = 70 * DAY_SECONDS
OPEN_SECONDS = 35 * DAY_SECONDS  # a bucket that is younger is never closed
LATENESS_DAYS = (0, 0, 0, 1, 5, 20, 33)
ACCOUNT, METER = "a", "sms.send"
FACTS = Account(customer="cus_1")
IDENTITY = StripeIdentity(namespace="retention", account="acct_1", livemode=False)


class BrokenPromiseError(AssertionError):
    """Something was billed twice, is not billed, or a shard stopped."""


@dataclass
class Life:
    """The logs as they were written, and what Stripe was told. `sent` are rows by identifier."""

    random: Random
    now: int = FIRST_DAY
    usage: list[Record] = field(default_factory=list)
    pushes: list[tuple[PushRecord, int]] = field(default_factory=list)
    sent: dict[str, Row] = field(default_factory=dict)
    state: PushState = field(default_factory=PushState)
    _events: list[tuple[bytes, int]] = field(default_factory=list)

    def live(self, days: int) -> None:
        """Usage, repetitions, rows; some stay in flight for ever, some announcements land twice."""
        for _ in range(days):
            for _ in range(self.random.randint(0, 2)):
                self._use()
            if self._events and self.random.random() < 0.4:
                self._repeat()
            if self.random.random() < 0.6:
                self._push()
            self.now += DAY_SECONDS

    def _use(self) -> None:
        time = self.now - self.random.choice(LATENESS_DAYS) * DAY_SECONDS
        value = usage_record(id=str(len(self._events)), source="s", type=METER, subject=ACCOUNT, time=from_unix(time))
        self._events.append((value, time))
        self._append(value)
        key = bucket_key(ACCOUNT, 0, time // HOUR)
        self.state.counted[key] = self.state.counted.get(key, 0) + 1

    def _repeat(self) -> None:
        value, time = self.random.choice(self._events)
        if self.now - time <= 34 * DAY_SECONDS:
            self._append(value)

    def _append(self, value: bytes) -> None:
        self.usage.append(Record(len(self.usage), self.now * 1000, value))

    def _push(self) -> None:
        rows = [row for key in sorted(self.state.counted) if (row := self._row(key)) is not None]
        held, free = self.state.held(), list[Row]()
        for row in rows[:MAX_ROWS]:
            if not {row.bucket_key, row.minute_key} & held:
                held |= {row.bucket_key, row.minute_key}
                free.append(row)
        if not free:
            return
        prepared = Prepared(identity=IDENTITY, usage_fence=len(self.usage), rows=tuple(free))
        self._write(prepared)
        self.sent |= {row.identifier(IDENTITY.namespace): row for row in free}
        done = [name for name in self.state.in_flight if self.random.random() < 0.97]
        if done:
            self._write(Settled(settlements=tuple(Settlement(identifier=name) for name in done)))
        if self.random.random() < 0.1:
            self._write(prepared)

    def _row(self, key: str) -> Row | None:
        hour, counted, claimed = int(key.rsplit("|", 1)[1]), self.state.counted[key], self.state.claimed.get(key, 0)
        stamped = stamp(hour, FACTS, now=self.now, grace=GRACE)
        if counted == claimed or not isinstance(stamped, Stamp):
            return None
        return Row(
            account=ACCOUNT,
            meter=METER,
            hour=hour,
            start=claimed,
            end=counted,
            customer="cus_1",
            timestamp=stamped.timestamp,
            carried=stamped.carried,
        )

    def _write(self, record: PushRecord) -> None:
        fold(self.state, record, self.now * 1000)
        self.pushes.append((record, self.now * 1000))

    def cut(self) -> tuple[int, int]:
        """Where each log begins once retention has taken what it liked of what is old enough."""
        old_ms = (self.now - KEPT_SECONDS) * 1000
        usage = sum(record.timestamp < old_ms for record in self.usage)
        pushes = sum(at_ms < old_ms for _, at_ms in self.pushes)
        return self._some_of(usage), self._some_of(pushes)

    def _some_of(self, old: int) -> int:
        """Half of the time retention has not come to the log yet."""
        return self.random.choice((0, self.random.randint(1, old)))


class NoPublisher:
    """Nothing is rejected or misplaced here."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Must not be asked."""
        raise BrokenPromiseError(f"a refold rejects {messages}")


async def refold(shard: Shard, life: Life, usage_start: int, pushes_start: int, clock_off: int) -> None:
    """Folds what is left of both logs into an empty shard, as the services would, by clocks that may be off.

    Raises:
        BrokenPromiseError: a record can't be folded.
    """
    usage = UsageFold(
        shard, UsageTopics("usage", "dlq"), 1, NoPublisher(), lambda: "again", now_ms=lambda: life.now * 1000
    )
    await usage.open(usage_start)
    await usage.apply(Interval(usage_start, len(life.usage), life.usage[usage_start:]))
    await open_shard(shard, Log.ACCOUNTS, earliest=0, incarnation="again")
    await fold_table(shard, Log.ACCOUNTS, TableBatch(0, 1, {ACCOUNT: FACTS.to_json()}, None))
    keeper, ends = ReadyKeeper(shard), {Log.USAGE: len(life.usage), Log.ACCOUNTS: 1}
    await keeper.wants_ends()
    keeper.learn_ends({log: LogEnd(end, end) for log, end in ends.items()}, (life.now + clock_off) * 1000)
    if await keeper.mark() is not Readiness.READY:
        raise BrokenPromiseError("the shard is not ready")
    await open_shard(shard, Log.PUSHES, earliest=pushes_start, incarnation="again", may_be_cut=True)
    await close_buckets(shard, "again", Log.PUSHES, retention.pushes_closed_before(life.now, kept_seconds=KEPT_SECONDS))
    for offset, (record, at_ms) in enumerate(life.pushes[pushes_start:], start=pushes_start):
        answer = await fold_push(shard, record, offset, at_ms)
        if answer.verdict is not Verdict.APPLIED:
            raise BrokenPromiseError(f"the push log's record {offset} is answered with {answer.verdict}")


async def bill_the_rest(shard: Shard, life: Life) -> None:
    """Sends whatever the shard has due, and checks that no bucket was ever billed more than it was used."""
    hour: int | None = 0
    while hour is not None:
        due = await list_due(shard, hour, life.now // HOUR)
        hour = due.hour + 1 if due else None
        for quote in (await quote_due(shard, due.buckets)).quotes if due else ():
            row = row_of(quote, now=life.now, grace=GRACE)
            if isinstance(row, Row):
                life.sent[row.identifier(IDENTITY.namespace)] = row
    billed = Counter[str]()
    for row in life.sent.values():
        billed[row.bucket_key] += row.value
    for key, units in billed.items():
        if units > life.state.counted[key]:
            raise BrokenPromiseError(f"{key}: {units} units are billed, {life.state.counted[key]} were used")


async def check_refold(shard: Shard, seed: int, clock_off: int = 0) -> tuple[bool, bool]:
    """One life; tells which of the logs were cut. The clock that the cut is judged by may be off by some seconds.

    Raises:
        BrokenPromiseError: its end is not what it must be.
    """
    life = Life(Random(seed))  # noqa: S311
    life.live(120 + life.random.randint(0, 40))
    usage_start, pushes_start = life.cut()
    await refold(shard, life, usage_start, pushes_start, clock_off)
    flying, told = await read_in_flight(shard), set[str]()
    for record, _ in life.pushes[pushes_start:]:
        if isinstance(record, Prepared):
            told |= {row.identifier(IDENTITY.namespace) for row in record.rows}
    if lost := (life.state.in_flight.keys() & told) - flying.keys():
        raise BrokenPromiseError(f"rows on their way are forgotten: {lost}")
    if strange := flying.keys() - life.sent.keys():
        raise BrokenPromiseError(f"rows are on their way that nobody planned: {strange}")
    await bill_the_rest(shard, life)
    floor = (life.now - OPEN_SECONDS) // HOUR + 1 if usage_start or pushes_start else 0
    billed = Counter[str]()
    for row in life.sent.values():
        billed[row.bucket_key] += row.value
    for key, units in life.state.counted.items():
        if int(key.rsplit("|", 1)[1]) >= floor and billed[key] != units:
            raise BrokenPromiseError(f"{key} is open: {units} units were used, {billed[key]} are billed")
    return usage_start > 0, pushes_start > 0
