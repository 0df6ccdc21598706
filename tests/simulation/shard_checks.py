"""A shard is exactly what its logs amount to up to its fences."""

from collections import Counter, defaultdict

from ledger.state import Log
from metering.outcome import ParkReason
from tests.simulation import names
from tests.simulation.photo import Photo
from tests.simulation.stripe import Minute, minute_of
from tests.simulation.truth import Bucket, PushTruth, UsageTruth
from tests.simulation.world import World

TABLES = {Log.ACCOUNTS: "a", Log.API_KEYS: "k"}  # by their hashes' names


class ShardChecks:
    """Compares photos with the truth."""

    def __init__(self, world: World) -> None:
        self._world = world

    def check_count(self, shard: Photo, usage: UsageTruth) -> None:
        """What the usage log amounts to."""
        truth = usage.up_to(shard.fence(Log.USAGE))
        self._same(shard, "the highest append time", shard.number_of("high_ms"), truth.high_ms)
        self._same(
            shard,
            "read, counted, duplicate, dead, rerouted",
            [shard.number_of(name) for name in ("read", "counted", "duplicate", "dead", "rerouted")],
            [truth.read, truth.counted, truth.duplicate, len(truth.dead), truth.rerouted],
        )
        self._same(shard, "events that are dead by a broker's clock alone", truth.wronged, set())
        self._same(shard, "units by hour", shard.hours(), dict(truth.units))
        days: Counter[Bucket] = Counter()
        for (account, meter, hour), units in truth.units.items():
            days[account, meter, hour // 24] += units
        self._same(shard, "units by day", shard.days(), dict(days))
        missing = truth.dead - self.dead_letters(names.USAGE, shard.number)
        if missing:
            self._world.trace.fail(
                f"shard {shard.number}: its fence has passed {missing}, but no dead letter is written"
            )

    def check_pushes(self, shard: Photo, usage: UsageTruth, pushes: PushTruth, confused: set[Minute]) -> None:
        """What the push log amounts to. `confused`: minutes in which summaries mislead."""
        counted = usage.up_to(shard.fence(Log.USAGE)).bucket_units()
        state = pushes.up_to(shard.fence(Log.PUSHES))
        self._same(shard, "rows in flight", shard.fields("fly").keys(), state.in_flight.keys())
        undecidable = [
            name
            for name, parked in state.parked.items()
            if parked.reason is ParkReason.UNDECIDABLE and minute_of(parked.row) not in confused
        ]
        if undecidable:
            self._world.trace.fail(f"shard {shard.number}: {undecidable} could not be told apart by summaries")
        self._same(shard, "parked rows", shard.fields("park").keys(), state.parked.keys())
        self._same(shard, "what unresolved rows hold", shard.fields("held").keys(), state.held())
        due = {name: units - state.claimed.get(name, 0) for name, units in counted.items()}
        due = {name: units for name, units in due.items() if units}
        self._same(shard, "due units", {name: int(units) for name, units in shard.fields("due").items()}, due)
        self._same(shard, "due buckets in order", shard.due_order, due.keys())
        self._same(shard, "accepted units", shard.accepted(), state.accepted)
        self._same(shard, "rows that ended otherwise", shard.ended, state.ended)
        self._same(shard, "carried units", shard.carried(), state.carried)

    def check_tables(self, shard: Photo) -> None:
        """What readers are shown of accounts and keys is what was written last, once it is folded to the end."""
        for log, table in TABLES.items():
            place = (names.TOPIC_OF[log], shard.number)
            if shard.fence(log) == self._world.kafka.logs[place].next_offset:
                written, spoilt = self._world.tables.latest(place), self._world.tables.spoilt
                found, true = (
                    {name: record for name, record in each.items() if name not in spoilt}
                    for each in (shard.fields(table), written)
                )
                self._same(shard, log, found, true)

    def dead_letters(self, topic: str, partition: int) -> set[int]:
        """The offsets of a partition's records that have a dead letter."""
        found = set()
        for record in self._world.kafka.logs[names.DEAD_LETTERS, 0].records:
            headers = dict(record.headers)
            if headers["dlq.topic"].decode() == topic and int(headers["dlq.partition"]) == partition:
                found.add(int(headers["dlq.offset"]))
        return found

    def check_reasons(self) -> None:
        """Each bad record that somebody wrote has its dead letter, which says why."""
        found: defaultdict[tuple[str, int, int], set[str]] = defaultdict(set)  # a lost offset was given twice
        for record in self._world.kafka.logs[names.DEAD_LETTERS, 0].records:
            headers = dict(record.headers)
            origin = (headers["dlq.topic"].decode(), int(headers["dlq.partition"]), int(headers["dlq.offset"]))
            found[origin].add(headers["dlq.reason"].decode())
        for place, log in self._world.kafka.logs.items():
            for record in log.records if place[0] in names.FOLDED.values() else ():
                reason, letters = self._world.reasons.get((place[0], record.content)), found[(*place, record.offset)]
                if reason is not None and reason not in letters and record.offset not in log.gone:
                    self._world.trace.fail(f"{place} @{record.offset} has letters of {letters} instead of {reason}")

    def _same(self, shard: Photo, what: str, found: object, true: object) -> None:
        if found != true:
            self._world.trace.fail(f"shard {shard.number}: {what}: Redis has {found}, the logs say {true}")
