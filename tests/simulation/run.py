"""One seed from its first event to its last invariant; and many, from the command line: `make simulate SEEDS=5000`."""

import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

from metering import dedupe
from stripe_sync.shard import reissuer
from tests.simulation import names
from tests.simulation.aggregators import Aggregator
from tests.simulation.desk import Desk
from tests.simulation.disasters import Disasters
from tests.simulation.hazards import strike_forever
from tests.simulation.invariants import Invariants
from tests.simulation.loop import State, StuckError
from tests.simulation.operator import Operator
from tests.simulation.readers import Reader
from tests.simulation.redis_server import RedisMachine, private_redis
from tests.simulation.scenario import ANY, Scenario
from tests.simulation.trace import Trace, ViolationError, critical_is_violation
from tests.simulation.weather import Server
from tests.simulation.workers import StripeWorker
from tests.simulation.workload import Workload
from tests.simulation.world import World

STORM_SECONDS = 25.0
REST_SECONDS = 300.0
CHECK_SECONDS = 2.5
EVENTS = (30, 120)
DESKS = (0, 1, 2)
LOOK_SECONDS = 3.0  # of the reissuer: minutes would be longer than a storm
MONTH_END = datetime(2026, 1, 31, 23, tzinfo=UTC)
SETS, MEMBERS = 2, 4  # of a dedupe block: a few dozen identities make the next one grow


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed."""

    seed: int
    violation: ViolationError | None
    trace: Trace
    happened: Counter[str]

    def story(self) -> str:
        """For the person who has to understand it."""
        return f"seed {self.seed}: {self.violation}\n{self.trace.tail()}\nseed {self.seed}: {self.violation}"


def simulate(seed: int, machine: RedisMachine, scenario: Scenario = ANY) -> Outcome:
    """Runs a seed. The server is flushed first, and left as the seed left it."""
    machine.begin()
    start = Random(seed)  # noqa: S311
    start_ms = int(MONTH_END.timestamp() * 1000) - int(start.choice((-0.2, 1, 20)) * start.random() * 86_400_000)
    world = World(seed, machine, start_ms, scenario)
    with (
        patch.multiple(dedupe, MIN_SETS=SETS, MEMBERS_PER_SET=MEMBERS),
        patch.object(reissuer, "LOOK_SECONDS", LOOK_SECONDS),
        critical_is_violation(world.trace, world.mending.pardons),
    ):
        _run(world, _story(world))
        violation = world.trace.violation
        world.trace.closed = True
        _tear_down(world)
    return Outcome(seed, violation, world.trace, world.happened)


async def _story(world: World) -> None:
    aggregators, workers = world.group("aggregators"), world.group("workers")
    operator, load = Operator(world), _workload(world)
    invariants = Invariants(world, load.meant)
    for number in range(2):
        world.employ(f"aggregator-{number}", Aggregator, aggregators)
        world.employ(f"stripe-{number}", StripeWorker, workers)
        world.employ(f"reader-{number}", Reader)
    desks = world.random("desks").choice(DESKS) if world.scenario.desks is None else world.scenario.desks
    for number in range(desks):
        world.employ(f"desk-{number}", Desk)
    disasters = Disasters(world, [aggregators, workers])
    troubles = [strike_forever(world, operator)] if world.hazards else []
    storm = asyncio.gather(disasters.run(), _check_forever(invariants), *troubles)
    storm.add_done_callback(lambda done: _end_of_storm(world, done))
    await asyncio.gather(load.run(world.random("events").randint(*EVENTS), STORM_SECONDS), operator.run(STORM_SECONDS))
    await asyncio.sleep(max(0.0, STORM_SECONDS - world.time.elapsed()))
    storm.cancel()
    world.trace.say("WEATHER", "the storm is over")
    world.mending.mend_all()
    world.weather.calm()
    world.network.deliver_now(Server.APPEND)
    for log in world.kafka.logs.values():
        log.pinned = None
    world.wake_all()
    await operator.map_all()
    await _rest(world, invariants)
    invariants.check_end()


def _end_of_storm(world: World, storm: "asyncio.Future[Any]") -> None:
    """A storm that ends by itself strikes and checks no more: its seed would end well for that."""
    error = None if storm.cancelled() else storm.exception()
    if error is not None and not isinstance(error, asyncio.CancelledError):  # a gather gives it as its exception
        world.trace.note(f"the storm ended by {error!r}")


async def _check_forever(invariants: Invariants) -> None:
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        invariants.check()


async def _rest(world: World, invariants: Invariants) -> None:
    """Until nothing is left to do, and readers have been answered meanwhile."""
    end, answers = world.time.elapsed() + REST_SECONDS, world.shown.answers
    while unrest := invariants.unrest() or world.shown.unrest(answers):
        if world.time.elapsed() > end:
            world.trace.fail(f"does not come to rest: {unrest}")
        await asyncio.sleep(1.0)


def _workload(world: World) -> Workload:
    return Workload(
        world.kafka,
        world.time,
        world.random("workload"),
        names.USAGE,
        names.PARTITIONS,
        names.ACCOUNTS,
        meant=world.meant,
        published=[],
        backlog=world.scenario.backlog,
    )


def _run(world: World, story: object) -> None:
    loop = world.loop
    loop.set_exception_handler(lambda _, context: None)
    main = loop.start(None, story)  # type: ignore[arg-type]
    main.add_done_callback(lambda _: loop.stop())
    world.trace.stop = loop.stop
    try:
        loop.run_forever()
    except StuckError as stuck:
        world.trace.note(str(stuck))
    if main.done() and not main.cancelled() and (error := main.exception()) and not world.trace.violation:
        raise error


def _tear_down(world: World) -> None:
    """Ends every task, of the dead as well, where nothing they still do can matter."""
    loop = world.loop
    world.network.down = True
    for _ in range(3):
        for task in loop.tasks:
            task.cancel()
        for life in loop.owners:
            if life.state is not State.RUNNING:
                loop.resume(life)
        for _ in range(50):
            loop.call_soon(loop.stop)
            loop.run_forever()
    loop.close()


def main(seeds: str) -> int:
    """Runs `5000` seeds, or those of `100:200`; stops at the first that fails and tells its story."""
    first, _, last = seeds.rpartition(":")
    numbers = range(int(first or 0), int(last))
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, private_redis(Path(directory)) as machine:
        happened: Counter[str] = Counter()
        for done, seed in enumerate(numbers, start=1):
            outcome = simulate(seed, machine)
            happened += outcome.happened
            if outcome.violation is not None:
                print(outcome.story())  # noqa: T201
                return 1
            if done % 50 == 0 or done == len(numbers):
                pace = (time.monotonic() - began) / done
                print(f"{done} of {len(numbers)} seeds, {pace:.2f} s each; {dict(happened)}", flush=True)  # noqa: T201
    return 0


def _with_hash_seed() -> None:
    """Begins anew where Python draws its own: the order of what is in a set is part of a seed's story."""
    if "PYTHONHASHSEED" not in os.environ:
        command = [sys.executable, "-m", "tests.simulation.run", *sys.argv[1:]]
        os.execve(sys.executable, command, os.environ | {"PYTHONHASHSEED": "0"})  # noqa: S606


if __name__ == "__main__":
    _with_hash_seed()
    sys.exit(main(*sys.argv[1:]))
