"""Checks that Stripe's sums equal the counts after lost replies, refused calls and killed workers."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.billing.world import World
from local.servers.process import ServerProcess

LOST, LIMITED = 0.05, 0.05  # shares of all calls
HOURS = 2  # hours of usage
PARTS = 5  # portions of the usage, which are counted while earlier ones are billed
WORKERS = 2
QUIET_SECONDS = 180.0  # seconds without a settled row, after which the run ends
LOOK_SECONDS = 0.5  # seconds between two looks
MOST_NAMES = 100_000
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Exactness:
    """The billed units and the faults. `differing`: account-meters whose sum at Stripe differs from the count.

    `two_bodies`: identifiers that came with two different bodies; `most_at_once`: the most calls in progress for one
    customer and meter; `furthest_resend`: the most seconds between the first and the last sending of a row.
    """

    units: int
    account_meters: int
    differing: int
    billed_units: int
    calls: int
    replies_lost: int
    calls_limited: int
    kills: int
    two_bodies: int
    most_at_once: int
    resent: int
    furthest_resend: float
    parked: int
    seconds: float


@dataclass
class Killing:
    """Two workers; every few seconds one of them is killed and started again."""

    workers: list[ServerProcess]
    every: float
    rng: random.Random
    kills: int = 0
    _next: float = 0.0

    def start(self) -> None:
        """Starts all workers."""
        for worker in self.workers:
            worker.spawn()
        self._next = time.monotonic() + self.every

    def look(self) -> None:
        """Kills a worker if it is time.

        Raises:
            RuntimeError: a worker has ended by itself.
        """
        for worker in self.workers:
            if not worker.running:
                raise RuntimeError(f"{worker.name} has ended with {worker.poll()}:\n{worker.tail()}")
        if time.monotonic() < self._next:
            return
        worker = self.rng.choice(self.workers)
        worker.kill()
        worker.spawn()
        self.kills += 1
        self._next = time.monotonic() + self.every

    def stop(self) -> None:
        """Stops all workers gracefully: they finish the calls in progress."""
        for worker in self.workers:
            worker.stop(STOP_SECONDS)


def measure(world: World, units: int, kill_every: float, seed: int, say: Callable[[str], None]) -> Exactness:
    """Bills `units` of the world's accounts under faults."""
    path = {"path": "/v2/billing/meter_event*"}
    world.double.control(
        "faults",
        [
            {"fault": "accept_then_drop", "match": path, "probability": LOST, "seed": seed},
            {"fault": "rate_limited", "match": path, "probability": LIMITED, "seed": seed + 1, "seconds": 1},
        ],
    )
    workers = [world.worker(number) for number in range(WORKERS)]
    killing = Killing(workers, kill_every, random.Random(seed))  # noqa: S311 - when to kill
    began = time.monotonic()
    try:
        killing.start()
        with world.aggregator():
            for part in range(PARTS):
                world.count(units // PARTS, HOURS, seed + part, killing.look)
                killing.look()
            say(f"{world.usage.events:,} events counted; {world.unbilled():,} buckets and rows to go")
            _await_end(world, killing)
        killing.stop()
    finally:
        for worker in workers:
            worker.kill()
    return _judged(world, killing.kills, time.monotonic() - began)


def _await_end(world: World, killing: Killing) -> None:
    """Waits until nothing is due and no row is in flight."""
    left, progress = world.unbilled(), time.monotonic()
    while left:
        killing.look()
        time.sleep(LOOK_SECONDS)
        now = world.unbilled()
        if now != left:
            left, progress = now, time.monotonic()
        elif time.monotonic() - progress > QUIET_SECONDS:
            return  # the result shows what is missing


def _judged(world: World, kills: int, seconds: float) -> Exactness:
    checks = world.double.control(f"checks?limit={MOST_NAMES}")
    billed = {
        (customer, meter): units for customer, meters in checks["totals"].items() for meter, units in meters.items()
    }
    counted, fired = world.usage.units, {each["fault"]: each["fired"] for each in world.double.control("faults")}
    apart = [each["last"] - each["first"] for each in checks["resent"]["identifiers"].values()]
    answers: dict[str, Any] = world.double.control("requests").get("POST /v2/billing/meter_events", {})
    return Exactness(
        units=counted.total(),
        account_meters=len(counted),
        differing=sum(billed.get(each) != counted.get(each) for each in {*billed, *counted}),
        billed_units=sum(billed.values()),
        calls=sum(answers.values()),
        replies_lost=fired["accept_then_drop"],
        calls_limited=fired["rate_limited"],
        kills=kills,
        two_bodies=checks["conflicting"]["count"],
        most_at_once=max(1, checks["concurrency"]["most"]),
        resent=checks["resent"]["count"],
        furthest_resend=max(apart, default=0),
        parked=world.parked(),
        seconds=seconds,
    )
