"""What befalls the whole platform, from time to time: which, how often and when is the seed's."""

import asyncio
from collections.abc import Callable

from tests.simulation import names
from tests.simulation.group import Group
from tests.simulation.kafka import Appending
from tests.simulation.loop import State
from tests.simulation.weather import Server
from tests.simulation.world import World

HOUR = 3600.0
DAY = 24 * HOUR
MEAN_SECONDS = (1.0, 2.0, 4.0)
JUNK = ((None, b"{}"), (b"a0", b"{"), (b"a0", b'{"anchor":-1}'))


class Disasters:
    """Draws one after the other while the storm lasts."""

    def __init__(self, world: World, groups: list[Group]) -> None:
        self._world = world
        self._groups = groups
        self._random = world.random("disasters")
        self._mean_seconds = self._random.choice(MEAN_SECONDS)
        long = self._random.random() < 0.3
        possible: tuple[Callable[[], None], ...] = (
            self._flush,
            self._take_snapshot,
            self._fail_over,
            self._rebalance,
            self._kill,
            self._stop,
            self._sleep_for_hours,
            self._sleepwalk,
            self._flush_behind_a_back,
            self._move_broker_clock,
            self._move_process_clock,
            self._take_server_away,
            self._open_transaction,
            self._compact,
            self._write_junk,
            *((self._sleep_for_days,) if long else ()),
        )
        self._weights = {each: self._random.choice((0, 1, 1, 3)) for each in possible}
        self._weights[self._take_snapshot] = 2 * self._weights[self._fail_over]
        if (only := world.scenario.disasters) is not None:
            self._weights = {each: int(_name(each) in only) for each in possible}

    async def run(self) -> None:
        """Until it is cancelled."""
        while any(self._weights.values()):
            await asyncio.sleep(self._random.expovariate(1 / self._mean_seconds))
            (disaster,) = self._random.choices(list(self._weights), list(self._weights.values()))
            self._world.happened[_name(disaster)] += 1
            disaster()

    def _say(self, what: str) -> None:
        self._world.trace.say("DISASTER", what)

    def _flush(self) -> None:
        self._world.flush()

    def _take_snapshot(self) -> None:
        self._world.snapshots[:-2] = []
        self._world.snapshots.append(self._world.redis.snapshot())

    def _fail_over(self) -> None:
        self._world.mending.mend_all()  # which may leave none
        if self._world.snapshots:
            self._world.fail_over(self._random.choice(self._world.snapshots))

    def _rebalance(self) -> None:
        self._random.choice(self._groups).rebalance()

    def _living(self) -> list:  # type: ignore[type-arg]
        return [life for life in self._world.lives.values() if life.state is State.RUNNING]

    def _kill(self) -> None:
        if living := self._living():
            self._world.crash(self._random.choice(living))

    def _stop(self) -> None:
        if living := self._living():
            self._world.pause(self._random.choice(living), self._random.uniform(0.1, 10))

    def _sleep_for_hours(self) -> None:
        self._world.leap(self._random.choice((1, 21.9, 22.1, 24.1, 26)) * HOUR)

    def _sleep_for_days(self) -> None:
        self._world.leap(self._random.uniform(2, 9) * DAY)

    def _sleepwalk(self) -> None:
        """A worker, or a person, sleeps while hours pass, and does not know what others did meanwhile."""
        workers = [life for life in self._living() if life.name.startswith(("stripe", "desk"))]
        if workers:
            self._world.pause(self._random.choice(workers), self._random.uniform(7, 14))
            hours = self._random.choice((1, 3, 21.9))
            self._world.loop.later(self._random.uniform(5, 7), lambda: self._world.leap(hours * HOUR))

    def _flush_behind_a_back(self) -> None:
        """Redis loses everything while an aggregator is paused, which then goes on with what it knew."""
        aggregators = [life for life in self._living() if life.name.startswith("aggregator")]
        if aggregators:
            self._world.pause(self._random.choice(aggregators), self._random.uniform(2, 8))
            self._world.loop.later(self._random.uniform(1, 6), self._flush)

    def _move_broker_clock(self) -> None:
        log = self._world.kafka.logs[self._random.choice(sorted(self._world.kafka.logs))]
        log.clock_skew_ms = self._random.randint(-600_000, 600_000)
        self._world.time.note_skew(log.clock_skew_ms)

    def _move_process_clock(self) -> None:
        if living := self._living():
            skew_ms = self._random.randint(-240_000, 240_000)
            self._random.choice(living).clock.set_off(skew_ms)

    def _take_server_away(self) -> None:
        server = self._random.choice(list(Server))
        self._say(f"{server.name} is away")
        self._world.weather.away.add(server)
        self._world.loop.later(self._random.uniform(0.2, 4), lambda: self._world.weather.away.discard(server))

    def _open_transaction(self) -> None:
        topic = self._random.choice(sorted(self._world.kafka.gaps))
        log = self._world.kafka.logs[topic, self._random.randrange(names.PARTITIONS)]
        if log.pinned is None and log.copy is None:
            log.pinned = log.next_offset
            self._world.loop.later(self._random.uniform(0.2, 4), lambda: setattr(log, "pinned", None))

    def _compact(self) -> None:
        for topic in (names.ACCOUNT_TABLE, names.KEY_TABLE):
            log = self._world.kafka.logs[topic, self._random.randrange(names.PARTITIONS)]
            log.compact(self._random.randint(0, log.stable_end))

    def _write_junk(self) -> None:
        place = (names.ACCOUNT_TABLE, self._random.randrange(names.PARTITIONS))
        self._world.kafka.land(Appending(place, *self._random.choice(JUNK)))


def _name(disaster: Callable[[], None]) -> str:
    return disaster.__name__.strip("_")
