"""What must hold: at any moment, at every call to Stripe, and in the end."""

from collections import Counter, defaultdict

from ledger.keys import ShardKeys
from ledger.state import Log
from metering.account import Account
from metering.billing_time import Stamp, stamp
from metering.partition import partition_of
from metering.period import period_containing
from metering.push_fold import PushState, ShardDivergedError
from metering.row import Row, split_bucket_key
from tests.simulation import names
from tests.simulation.photo import Photo
from tests.simulation.shard_checks import ShardChecks
from tests.simulation.stripe import Accepted, minute_of
from tests.simulation.truth import Meant, PushTruth, UsageTruth
from tests.simulation.world import World

WINDOW_SECONDS = 600
RESEND_MS = 22 * 3600 * 1000
CLOCKS_MS = 20 * 60 * 1000  # how far the broker's and a process's clocks may be off together, and then some
SUMMARY_MS = WINDOW_SECONDS * 1000 + CLOCKS_MS


class Invariants:
    """Compares what the product holds, says and sends with the truth."""

    def __init__(self, world: World, meant: dict[bytes, Meant]) -> None:
        self._world = world
        self._told = world.shown.accounts
        self._anchors: defaultdict[str, set[int | None]] = defaultdict(set)
        home = {account: partition_of(account, names.PARTITIONS) for account in names.ACCOUNTS}
        logs = world.kafka.logs
        self.usage = [UsageTruth(logs[names.USAGE, n], n, meant, home) for n in range(names.PARTITIONS)]
        self.pushes = [PushTruth(logs[names.PUSHES, n], self.usage[n]) for n in range(names.PARTITIONS)]
        self._home = home
        self._checks = ShardChecks(world)
        world.stripe.watch = self._at_send
        world.stripe.count = self._at_acceptance

    # At every call.

    def _at_send(self, who: str, row: Row, identifier: str) -> None:
        """Only what the log has accepted, not long after it was settled, nothing old without asking."""
        fail, truth = self._world.trace.fail, self.pushes[self._home[row.account]]
        self._fold(truth)
        if identifier not in truth.prepared_ms:
            fail(f"{who} sends {identifier[:12]}, which the push log never accepted")
        now_s, now_ms = self._world.time.elapsed(), self._world.time.now_ms()
        settled = truth.settled_at.get(identifier)
        if settled and (now_s - settled[0] > WINDOW_SECONDS or now_ms - settled[1] > WINDOW_SECONDS * 1000 + CLOCKS_MS):
            fail(f"{who} sends {identifier[:12]}, which was settled {(now_ms - settled[1]) / 3.6e6:.2f} h ago")
        asked_ms = self._world.stripe.asked_ms.get((who, minute_of(row)), 0)
        self._anchors[identifier] |= self._told.anchors(who, row.account)
        old = now_ms - truth.prepared_ms[identifier] > RESEND_MS + CLOCKS_MS
        if old and now_ms - asked_ms > SUMMARY_MS:
            fail(f"{who} sends {identifier[:12]} again after 22 hours without asking the summary")

    def _fold(self, truth: PushTruth) -> PushState:
        try:
            state = truth.whole()
        except (ShardDivergedError, KeyError) as error:
            self._world.trace.fail(f"the push log does not fit the usage log, or itself: {error!r}")
        if +Counter(state.accepted) != truth.accepted():
            self._world.trace.fail(f"accepted is {state.accepted}, delivered rows are {truth.accepted()}")
        return state

    def _at_acceptance(self, accepted: Accepted) -> None:
        """Never more than was counted, and nothing after its invoice was final."""
        row, fail = accepted.row, self._world.trace.fail
        held = self._world.stripe.by_bucket()
        counted = self.usage[self._home[row.account]].whole().bucket_units()
        lane = f"{row.account}|{row.bucket_key.split('|')[1]}|"
        buckets = {name for name in counted if name.startswith(lane)} if self._confused() else {row.bucket_key}
        most, there = (sum(each[name] for name in buckets) for each in (counted, held))
        if there > most:
            fail(f"Stripe holds {there} of {sorted(buckets)}, of which {most} were counted")
        ends = [period_containing(row.timestamp, anchor).end for anchor in self._anchors[accepted.identifier]]
        if all(accepted.at_ms / 1000 >= end + names.GRACE_SECONDS for end in ends):
            fail(f"Stripe takes {accepted.identifier[:12]} after its invoice was final: it is never billed")

    def _confused(self) -> set[tuple[str, str, int]]:
        """Minutes in which a summary says something else than was delivered.

        Stripe has lost a row, or holds one that was written off. Another row of the same minute and value may then be
        taken for it: sums stay right, while buckets may have changed places.
        """
        held = {each.identifier: each.row for each in self._world.stripe.accepted}
        rows = [each.row for each in self._world.stripe.lost.values()]
        for truth in self.pushes:
            rows += [row for name, row in truth.written_off.items() if name in held]
        return {minute_of(row) for row in rows}

    # At any moment.

    def check(self) -> None:
        """Every shard is exactly what its logs amount to up to its fences."""
        for number in range(names.PARTITIONS):
            keys = ShardKeys(names.PREFIX, number)
            is_readable, shard = self._world.redis.is_readable(keys.fences), Photo.of(self._world.redis, keys)
            if is_readable:
                self._checks.check_tables(shard)
            elif self._world.redis.damaged:
                continue  # what it lacks is seen by nobody
            self._checks.check_count(shard, self.usage[number])
            self._checks.check_pushes(shard, self.usage[number], self.pushes[number], self._confused())

    # In the end.

    def unrest(self) -> str:
        """What is still to be done; empty once everything has come to rest."""
        if self._world.mending.pending:
            return "people have not put everything right"
        replication_id = self._world.redis.replication_id()
        for number in range(names.PARTITIONS):
            shard = Photo.of(self._world.redis, ShardKeys(names.PREFIX, number))
            for log in Log:
                end = self._world.kafka.logs[names.TOPIC_OF[log], number].stable_end
                if shard.fence(log) != end:
                    return f"shard {number}: {log} stands at {shard.fence(log)}, its log ends at {end}"
            for mark in ("ready", "push_ready"):
                if shard.fields("f").get(mark) != replication_id:
                    return f"shard {number} is not {mark}"
            if in_flight := list(shard.fields("fly")):
                return f"shard {number}: in flight: {in_flight}"
            if owed := self._owed(number):
                return f"shard {number}: still due: {owed}"
        return ""

    def _owed(self, number: int) -> dict[str, int]:
        """Due units that no parked row, missing subscription or future hour explains."""
        state = self._fold(self.pushes[number])
        units = self.usage[number].whole().bucket_units()
        due = {name: count - state.claimed.get(name, 0) for name, count in units.items()}
        return {name: count for name, count in due.items() if count and not self._waits(name, state.held())}

    def _waits(self, bucket: str, held: set[str]) -> bool:
        account, meter, hour = split_bucket_key(bucket)
        record: Account = self._current(account)
        stamped = stamp(hour, record, now=self._world.time.now_ms() // 1000, grace=names.GRACE_SECONDS)
        if not isinstance(stamped, Stamp):
            return True
        return bool(held & {bucket, f"{meter}|{stamped.timestamp // 60}|{record.customer}"})

    def _current(self, account: str) -> Account:
        record = self._world.tables.latest((names.ACCOUNT_TABLE, self._home[account])).get(account)
        return Account.model_validate_json(record) if record else Account()

    def check_end(self) -> None:
        """Stripe holds what was counted, but for what is parked or waits; every invalid record has its dead letter."""
        self.check()
        self._checks.check_reasons()
        accepted = {each.identifier for each in self._world.stripe.accepted}
        held, lost, confused = self._world.stripe.by_bucket(), self._world.stripe.lost, self._confused()
        for number in range(names.PARTITIONS):
            state, count = self._fold(self.pushes[number]), self.usage[number].whole()
            missing = Counter(
                {name: units - state.claimed.get(name, 0) for name, units in count.bucket_units().items()}
            )
            absent = {name: parked.row for name, parked in state.parked.items()} | self.pushes[number].written_off
            absent |= {name: row for name, row in self.pushes[number].delivered.items() if name in lost}
            for identifier, row in absent.items():
                if identifier not in accepted:
                    missing[row.bucket_key] += row.value
            for bucket, units in count.bucket_units().items():
                if held[bucket] + missing[bucket] != units and not confused:
                    self._world.trace.fail(
                        f"{bucket}: counted {units}, Stripe holds {held[bucket]}, {missing[bucket]} wait"
                    )
            gone = self._world.kafka.logs[names.USAGE, number].gone
            if self._checks.dead_letters(names.USAGE, number) - gone != count.dead - gone:
                self._world.trace.fail(f"shard {number}: dead letters are not the invalid records {sorted(count.dead)}")
