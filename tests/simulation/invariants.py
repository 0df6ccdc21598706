"""What must hold: at any moment, at every call to Stripe, and in the end."""

from collections import Counter

from ledger.keys import ShardKeys
from ledger.state import Log
from metering.account import Account
from metering.billing_time import Stamp, stamp
from metering.partition import partition_of
from metering.period import period_containing
from metering.row import Row, split_bucket_key
from metering.span import month_and_day
from tests.simulation import names
from tests.simulation.operator import Operator
from tests.simulation.stripe import Accepted
from tests.simulation.truth import Meant, PushTruth, UsageTruth
from tests.simulation.world import World

WINDOW_SECONDS = 600
RESEND_MS = 22 * 3600 * 1000
CLOCKS_MS = 20 * 60 * 1000  # how far the broker's and a process's clocks may be off together, and then some
SUMMARY_MS = WINDOW_SECONDS * 1000 + CLOCKS_MS


class Invariants:
    """Compares what the product holds, says and sends with the truth."""

    def __init__(self, world: World, operator: Operator, meant: dict[bytes, Meant]) -> None:
        self._world = world
        self._operator = operator
        home = {account: partition_of(account, names.PARTITIONS) for account in names.ACCOUNTS}
        logs = world.kafka.logs
        self.usage = [UsageTruth(logs[names.USAGE, n], n, meant, home) for n in range(names.PARTITIONS)]
        self.pushes = [PushTruth(logs[names.PUSHES, n], self.usage[n]) for n in range(names.PARTITIONS)]
        self._home = home
        self._redis = world.redis.client
        world.stripe.watch = self._at_send
        world.stripe.count = self._at_acceptance

    # At every call.

    def _at_send(self, who: str, row: Row, identifier: str) -> None:
        """Only what the log has accepted, not long after it was settled, nothing old without asking."""
        fail, truth = self._world.trace.fail, self.pushes[self._home[row.account]]
        truth.whole()
        if identifier not in truth.prepared_ms:
            fail(f"{who} sends {identifier[:12]}, which the push log never accepted")
        now_s, now_ms = self._world.time.elapsed(), self._world.time.now_ms()
        settled = truth.settled_at.get(identifier)
        if settled and (now_s - settled[0] > WINDOW_SECONDS or now_ms - settled[1] > WINDOW_SECONDS * 1000 + CLOCKS_MS):
            fail(f"{who} sends {identifier[:12]}, which was settled {(now_ms - settled[1]) / 3.6e6:.2f} h ago")
        asked_ms = self._world.stripe.asked_ms.get((who, row.minute_key), 0)
        old = now_ms - truth.prepared_ms[identifier] > RESEND_MS + CLOCKS_MS
        if old and now_ms - asked_ms > SUMMARY_MS:
            fail(f"{who} sends {identifier[:12]} again after 22 hours without asking the summary")

    def _at_acceptance(self, accepted: Accepted) -> None:
        """Never more than was counted, and nothing after its invoice was final."""
        row, fail = accepted.row, self._world.trace.fail
        held = self._world.stripe.by_bucket()[row.bucket_key]
        counted = self.usage[self._home[row.account]].whole().bucket_units()[row.bucket_key]
        if held > counted:
            fail(f"Stripe holds {held} of {row.bucket_key}, of which {counted} were counted")
        period = period_containing(row.timestamp, self._operator.facts[row.account].anchor)
        if accepted.at_ms / 1000 >= period.end + names.GRACE_SECONDS:
            fail(f"Stripe takes {accepted.identifier[:12]} after its invoice was final: it is never billed")

    # At any moment.

    def check(self) -> None:
        """Every shard is exactly what its logs amount to up to its fences."""
        for number in range(names.PARTITIONS):
            self._check_shard(ShardKeys(names.PREFIX, number))

    def _check_shard(self, keys: ShardKeys) -> None:
        raw = {name.decode(): value for name, value in self._redis.hgetall(keys.fences).items()}  # type: ignore[union-attr]
        truth = self.usage[keys.shard].up_to(int(raw.get("usage", 0)))
        self._same(keys, "high_ms", int(raw.get("high_ms", 0)), truth.high_ms)
        self._same(
            keys,
            "read = counted + duplicate + dead + rerouted",
            [int(raw.get(name, 0)) for name in ("read", "counted", "duplicate", "dead", "rerouted")],
            [truth.read, truth.counted, truth.duplicate, len(truth.dead), truth.rerouted],
        )
        self._same(keys, "units by hour", self._hours(keys), dict(truth.units))
        days: Counter[tuple[str, int, int]] = Counter()
        for (account, meter, hour), units in truth.units.items():
            days[account, meter, hour // 24] += units
        self._same(keys, "units by day", self._days(keys, days), dict(days))
        self._check_pushes(keys, int(raw.get("pushes", 0)), truth.bucket_units())
        missing = truth.dead - self._dead_letters(names.USAGE, keys.shard)
        if missing:
            self._world.trace.fail(f"shard {keys.shard}: no dead letter for {sorted(missing)}, which the fence passed")

    def _check_pushes(self, keys: ShardKeys, fence: int, counted: Counter[str]) -> None:
        state = self.pushes[keys.shard].up_to(fence)
        self._same(keys, "rows in flight", self._names(keys.in_flight), state.in_flight.keys())
        self._same(keys, "parked rows", self._names(keys.parked), state.parked.keys())
        self._same(keys, "what unresolved rows hold", self._names(keys.held), state.held())
        due = {name: units - state.claimed.get(name, 0) for name, units in counted.items()}
        found = {name.decode(): int(units) for name, units in self._redis.hgetall(keys.due).items()}  # type: ignore[union-attr]
        self._same(keys, "due units", found, {name: units for name, units in due.items() if units})
        self._same(keys, "due order", {name.decode() for name in self._redis.zrange(keys.due_order, 0, -1)}, found.keys())
        accepted: Counter[str] = Counter()
        for name in self._keys_like(keys.accepted("*", 0).removesuffix(":0") + ":*"):
            accepted.update({key.decode(): int(units) for key, units in self._redis.hgetall(name).items()})  # type: ignore[union-attr]
        self._same(keys, "accepted units", dict(accepted), state.accepted)

    def _hours(self, keys: ShardKeys) -> dict[tuple[str, int, int], int]:
        found = {}
        for name in self._keys_like(keys.hours("*", 0).removesuffix(":0") + ":*"):
            account, day = name.split(":")[1:]
            for place, units in self._redis.hgetall(name).items():  # type: ignore[union-attr]
                found[account, int(place) // 24, int(day) * 24 + int(place) % 24] = int(units)
        return found

    def _days(self, keys: ShardKeys, days: Counter[tuple[str, int, int]]) -> dict[tuple[str, int, int], int]:
        found = {}
        for account, meter, day in days:
            month, of_month = month_and_day(day)
            found[account, meter, day] = int(self._redis.hget(keys.days(account, month), str(meter * 31 + of_month - 1)) or 0)  # type: ignore[arg-type]
        return found

    def _names(self, key: str) -> set[str]:
        return {name.decode() for name in self._redis.hkeys(key)}  # type: ignore[union-attr]

    def _keys_like(self, pattern: str) -> list[str]:
        return [name.decode() for name in self._redis.keys(pattern)]  # type: ignore[union-attr]

    def _dead_letters(self, topic: str, partition: int) -> set[int]:
        found = set()
        for record in self._world.kafka.logs[names.DEAD_LETTERS, 0].records:
            headers = dict(record.headers)
            if headers["dlq.topic"].decode() == topic and int(headers["dlq.partition"]) == partition:
                found.add(int(headers["dlq.offset"]))
        return found

    def _same(self, keys: ShardKeys, what: str, found: object, true: object) -> None:
        if found != true:
            self._world.trace.fail(f"shard {keys.shard}: {what}: Redis has {found}, the logs say {true}")

    # In the end.

    def unrest(self) -> str:
        """What is still to be done; empty once everything has come to rest."""
        replication_id = self._world.redis.replication_id()
        for number in range(names.PARTITIONS):
            keys = ShardKeys(names.PREFIX, number)
            raw = self._redis.hgetall(keys.fences)
            for log in Log:
                end = self._world.kafka.logs[names.TOPIC_OF[log], number].stable_end
                if int(raw.get(log.value.encode(), -1)) != end:  # type: ignore[union-attr]
                    return f"shard {number}: {log} stands at {raw.get(log.value.encode())}, its log ends at {end}"  # type: ignore[union-attr]
            for mark in (b"ready", b"push_ready"):
                if raw.get(mark) != replication_id:  # type: ignore[union-attr]
                    return f"shard {number} is not {mark.decode()}"
            if in_flight := self._names(keys.in_flight):
                return f"shard {number}: in flight: {in_flight}"
            if owed := self._owed(number):
                return f"shard {number}: still due: {owed}"
        return ""

    def _owed(self, number: int) -> dict[str, int]:
        """Due units that no parked row, missing subscription or future hour explains."""
        state = self.pushes[number].whole()
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
        log = self._world.kafka.logs[names.ACCOUNT_TABLE, self._home[account]]
        values = [each.value for each in log.records if each.key == account.encode() and each.value and b"customer" in each.value]
        return Account.model_validate_json(values[-1]) if values else Account()

    def check_end(self) -> None:
        """Stripe holds what was counted, but for what is parked or waits; every invalid record has its dead letter."""
        self.check()
        accepted = {each.identifier for each in self._world.stripe.accepted}
        held = self._world.stripe.by_bucket()
        for number in range(names.PARTITIONS):
            state, count = self.pushes[number].whole(), self.usage[number].whole()
            missing = Counter({name: units - state.claimed.get(name, 0) for name, units in count.bucket_units().items()})
            for identifier, parked in state.parked.items():
                if identifier not in accepted:
                    missing[parked.row.bucket_key] += parked.row.value
            for bucket, units in count.bucket_units().items():
                if held[bucket] + missing[bucket] != units:
                    self._world.trace.fail(f"{bucket}: counted {units}, Stripe holds {held[bucket]}, {missing[bucket]} wait")
            if self._dead_letters(names.USAGE, number) != count.dead:
                self._world.trace.fail(f"shard {number}: dead letters are not the invalid records {sorted(count.dead)}")


