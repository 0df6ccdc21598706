"""One seed's world: its servers, its clocks, and the supervisor that starts, kills and pauses its processes."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any, Protocol

from aiokafka.errors import KafkaError
from redis.exceptions import RedisError

from stripe_sync.errors import StripeStoppedError
from tests.simulation import names
from tests.simulation.clock import WorldTime
from tests.simulation.freshness import Freshness
from tests.simulation.group import Group
from tests.simulation.kafka import Content, SimulatedKafka
from tests.simulation.loop import Owner, State, VirtualLoop
from tests.simulation.mending import Mending
from tests.simulation.network import Network
from tests.simulation.redis_server import RedisMachine, Snapshot
from tests.simulation.scenario import AWAITS, HAZARD_SHARE, Hazard, Scenario
from tests.simulation.shown import Shown
from tests.simulation.stripe import SimulatedStripe
from tests.simulation.table_truth import TableTruth
from tests.simulation.told_accounts import ToldAccounts
from tests.simulation.trace import Trace
from tests.simulation.truth import Meant
from tests.simulation.weather import Server, Weather

MAY_END_A_PROCESS = (RedisError, KafkaError, OSError, TimeoutError, StripeStoppedError)  # and be started again
SESSION_SECONDS = 3.0
MOST_STRIKES = 15
LONG_ABSENCE_SHARE = 0.4
TOPICS = (
    (names.USAGE, names.PARTITIONS),
    (names.ACCOUNT_TABLE, names.PARTITIONS),
    (names.KEY_TABLE, names.PARTITIONS),
    (names.PUSHES, names.PARTITIONS),
    (names.DEAD_LETTERS, 1),
)


class Life(Protocol):
    """One life of a process, as the supervisor sees it."""

    name: str
    state: State

    async def run(self) -> None:
        """Until it ends."""
        ...


class World:
    """Everything that exists while a seed runs."""

    def __init__(self, seed: int, machine: RedisMachine, start_ms: int, scenario: Scenario) -> None:
        self.seed = seed
        self.scenario = scenario
        self.hazards = self._hazards()
        self.loop = VirtualLoop(self.random("order"))
        self.time = WorldTime(self.loop, start_ms)
        self.trace = Trace(self.time)
        self.weather = Weather(self.random("weather"), scenario)
        self.network = Network(self.loop, self.weather)
        self.redis = machine
        self.kafka = SimulatedKafka(self.time, self.network, self.weather, self.random("kafka"), self.trace)
        for topic, partitions in TOPICS:
            self.kafka.create(topic, partitions)
        self.kafka.gaps = {names.USAGE, names.ACCOUNT_TABLE, names.KEY_TABLE}
        self.stripe = SimulatedStripe(self.time, self.network, self.weather, self.random("stripe"), self.trace)
        held = Hazard.HELD_OFFSETS
        sees = held not in AWAITS or held in self.hazards
        freshness = Freshness(self.kafka, self.time, self.trace, sees_held_offsets=sees)
        self.shown = Shown(self.trace, freshness, ToldAccounts(self.time))
        self.tables = TableTruth(self.kafka)
        self.key_hashes: list[str] = []
        self.meant: dict[bytes, Meant] = {}
        self.reasons: dict[tuple[str, Content], str] = {}  # that letters must give, by topic and record
        self.snapshots: list[Snapshot] = []
        self.voided = 0  # how often all copies of Redis were thrown away
        self.lives: dict[str, Any] = {}
        self.happened: Counter[str] = Counter()
        self.mending = Mending(self.loop, self.trace, self.happened, self._restart)
        self._born: defaultdict[str, int] = defaultdict(int)
        self._kinds: dict[str, tuple[Callable[..., Any], Group | None]] = {}
        self._fates = self.random("fates")
        self.weather.strikes = self._strike

    def _hazards(self) -> frozenset[Hazard]:
        """Each is drawn from its own stream, so that a new one leaves the others as they were."""
        if self.scenario.hazards is not None:
            return self.scenario.hazards
        return frozenset(each for each in Hazard if each not in AWAITS and self.random(each).random() < HAZARD_SHARE)

    def random(self, purpose: str) -> Random:
        """A stream of its own for each purpose, so that a change to one leaves the others as they were."""
        return Random(f"{self.seed}:{purpose}")  # noqa: S311

    def group(self, name: str) -> Group:
        """A consumer group over all shards."""
        group = Group(name, names.PARTITIONS, self.loop, self.random(name), self.weather, self.trace)
        group.start = self._start
        return group

    def employ(self, name: str, kind: Callable[..., Any], group: Group | None = None) -> None:
        """Starts a process, and again whenever it has ended."""
        self._kinds[name] = (kind, group)
        self._give_birth(name)

    def ended(self, life: Any, error: BaseException) -> None:
        """A process says that it can't go on; only what a restart may mend is a reason."""
        if life.state is State.DEAD or self.trace.closed:
            return
        if not isinstance(error, MAY_END_A_PROCESS):
            self.trace.fail(f"{life.name} ended by {type(error).__name__}: {error}")
        self.trace.say(life.name, f"ends: {type(error).__name__}")
        self._bury(life)

    def crash(self, life: Any) -> None:
        """SIGKILL."""
        self.happened["crash"] += 1
        self.trace.say(life.name, "is killed")
        self._bury(life)

    def pause(self, life: Any, seconds: float) -> None:
        """SIGSTOP, and SIGCONT later; past its session's end others are given its shards, and it does not know."""
        self.happened["pause"] += 1
        self.trace.say(life.name, f"is paused for {seconds:.1f} s")
        life.state = State.PAUSED
        _, group = self._kinds[life.name]
        expelled = group is not None and seconds > SESSION_SECONDS
        if group is not None and expelled:
            self.loop.later(SESSION_SECONDS, group.rebalance)

        def resume() -> None:
            if life.state is not State.PAUSED:
                return
            self.trace.say(life.name, "goes on")
            self.loop.resume(life)
            if group is not None and expelled:  # it learns of it with its next heartbeat
                self.loop.later(self._fates.uniform(0.2, 3), group.rebalance)

        self.loop.later(seconds, resume)

    def wake_all(self) -> None:
        """No process is paused any more."""
        for life in self.lives.values():
            if life.state is State.PAUSED:
                self.loop.resume(life)
        for group in {id(group): group for _, group in self._kinds.values() if group}.values():
            self.loop.later(1.0, group.rebalance)

    def _restart(self, kind: str) -> None:
        """People restart all processes whose names begin so."""
        for life in list(self.lives.values()):
            if life.name.startswith(kind) and life.state is not State.DEAD:
                self.trace.say(life.name, "is restarted")
                self._bury(life)

    def void_copies(self) -> None:
        """People throw all copies of Redis away: they hold what is true no more."""
        self.snapshots.clear()
        self.voided += 1

    def flush(self) -> None:
        """Redis loses everything."""
        self.trace.say("DISASTER", "FLUSHALL")
        self._redis_is_lost()
        self.redis.flush()

    def fail_over(self, replica: Snapshot) -> None:
        """Redis goes back in time."""
        self.trace.say("DISASTER", "failover to an older replica")
        self._redis_is_lost()
        self.redis.fail_over(replica)

    def _redis_is_lost(self) -> None:
        self.mending.mend_all()
        self.shown.lost(self.redis.readable(names.SHARDS))

    def leap(self, seconds: float) -> None:
        """Hours or days pass, while all machines sleep. What is on its way to Stripe arrives before."""
        self.mending.mend_all()
        self.trace.say("DISASTER", f"{seconds / 3600:.1f} hours pass")
        self.network.deliver_now(Server.STRIPE)
        self.time.leap(seconds)

    def _strike(self, owner: Owner, server: Server, fatal: bool) -> None:
        if owner.state is not State.RUNNING or self.happened["strike"] >= MOST_STRIKES:
            return
        self.happened["strike"] += 1
        if fatal:
            self.crash(owner)
            if server is Server.STRIPE and self._fates.random() < LONG_ABSENCE_SHARE:  # rows in flight grow old
                self.loop.later(0.1, lambda: self.leap(self._fates.choice((21.9, 22.5, 24.5)) * 3600))
        else:
            self.pause(owner, self._fates.choice((0.5, 2, 6, 12)) * self._fates.uniform(0.5, 1.5))

    def _bury(self, life: Any) -> None:
        life.state = State.DEAD
        self.loop.later(self._fates.uniform(0.2, 4), lambda: self._give_birth(life.name))

    def _give_birth(self, name: str) -> None:
        kind, group = self._kinds[name]
        self._born[name] += 1
        life = kind(self, name, self.random(f"{name}#{self._born[name]}"))
        self.lives[name] = life
        self._start(life, life.run())
        if group is not None:
            group.members.append(life)
            self.loop.later(0.05, group.rebalance)

    def _start(self, life: Any, work: Coroutine[Any, Any, None]) -> None:
        if life.state is State.DEAD:
            work.close()
            return

        def done(task: "asyncio.Task[Any]") -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self.ended(life, error)

        self.loop.start(life, work).add_done_callback(done)
