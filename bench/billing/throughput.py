"""Measures the rows per second that reach Stripe, against the rate limit and the double's limit; and the appends."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from bench.aggregator_process import cpu_seconds
from bench.billing.world import World
from local.servers.process import ServerProcess
from runtime.settings import SINGLE_RATE, STREAM_RATE

SHARE = 0.8  # of the double's own limit: the worker needs the rest of the machine
STEADY = 0.1, 0.9  # the rate is measured between these shares of the rows
LOOK_SECONDS = 0.1  # seconds between two looks
QUIET_SECONDS = 60.0  # seconds without a settled row, after which the run fails
BARE_EVENTS = {"single": 3000, "stream": 30_000}
HIGHEST = {"single": SINGLE_RATE, "stream": STREAM_RATE}  # the worker's own default limits, rows a second


class NotMeasuredError(Exception):
    """The worker did not start, ended early, or had too little to do. The message says which."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """Rows per second in the steady state; `limit`: the worker's setting; `double_takes`: the rate of a bare client."""

    transport: str
    rows: int
    double_takes: float
    limit: float
    rows_per_second: float
    appends_per_100: float
    worker_cpu_seconds_per_row: float


@dataclass(frozen=True, slots=True)
class _Moment:
    at: float
    settled: int
    appends: int
    cpu: float


def measure(world: World, transport: str, hours: int, rate: float, say: Callable[[str], None]) -> Throughput:
    """Counts a row per account-meter and hour first, then lets one worker bill them.

    Args:
        world: the servers, with accounts.
        transport: single or stream.
        hours: the number of rows per account-meter.
        rate: the worker's limit in rows per second; 0: the transport's default, or less if the double takes less.
        say: shows the progress.

    Raises:
        NotMeasuredError: the worker ended, made no progress, or was done too soon.
    """
    with world.aggregator():
        world.count(0, hours, seed=1)
    customers, bare = list(world.usage.customers.values()), BARE_EVENTS[transport]
    most = world.double.most_single if transport == "single" else world.double.most_stream
    takes = most(customers, min(bare, world.usage.events))
    limit = rate or min(HIGHEST[transport], SHARE * takes)
    say(f"{transport}: the double takes {takes:,.0f} rows/s; the worker may send {limit:,.0f} rows/s")
    first, last = _bill(world, transport, limit)
    settled, seconds = last.settled - first.settled, last.at - first.at
    if settled <= 0:
        raise NotMeasuredError(f"{world.usage.events} rows were settled at once: take more account-meters")
    return Throughput(
        transport=transport,
        rows=world.usage.events,
        double_takes=takes,
        limit=limit,
        rows_per_second=settled / seconds,
        appends_per_100=100 * (last.appends - first.appends) / settled,
        worker_cpu_seconds_per_row=(last.cpu - first.cpu) / settled,
    )


def _bill(world: World, transport: str, limit: float) -> tuple[_Moment, _Moment]:
    """Lets a worker bill. Returns the readings at the begin and the end of the steady state."""
    more = {"BILLING_STRIPE_TRANSPORT": transport, "BILLING_STRIPE_RATE_LIMIT": str(limit)}
    worker = world.worker(1, **more, BILLING_PUSH_INTERVAL_SECONDS="3600")
    try:
        worker.spawn()
        return _steady(world, worker)
    finally:
        worker.kill()


def _steady(world: World, worker: ServerProcess) -> tuple[_Moment, _Moment]:
    rows, first, last = world.usage.events, None, 0
    process, progress = psutil.Process(worker.pid), time.monotonic()
    while True:
        time.sleep(LOOK_SECONDS)
        settled = rows - world.unbilled()
        if not worker.running:
            raise NotMeasuredError(worker.tail(3))
        if settled != last:
            last, progress = settled, time.monotonic()
        if time.monotonic() - progress > QUIET_SECONDS:
            raise NotMeasuredError(f"{settled} of {rows} rows, and no more:\n{worker.tail(3)}")
        if settled >= STEADY[0] * rows and first is None:
            first = _moment(world, process, rows)
        elif settled >= STEADY[1] * rows and first is not None:
            return first, _moment(world, process, rows)


def _moment(world: World, process: psutil.Process, rows: int) -> _Moment:
    appends = world.appends()  # the slow one first
    return _Moment(time.monotonic(), rows - world.unbilled(), appends, cpu_seconds(process))
