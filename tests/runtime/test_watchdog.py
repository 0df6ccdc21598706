"""A process that hangs ends itself."""

import subprocess
import sys
from threading import Event

from runtime.watchdog import Watchdog

TICK_SECONDS = 0.002
HANGING = """
import asyncio, time
from runtime.monitor import Pulse
from runtime.watchdog import Watchdog

async def work(pulse):
    for _ in range(20):  # slow, and alive: twice as long as may be silent
        pulse.beat()
        await asyncio.sleep(0.1)
    print("hangs", flush=True)
    time.sleep(60)  # the loop with it

pulse = Pulse()
Watchdog(pulse, silent_seconds=1, awake_seconds=0.2, tick_seconds=0.05).start()
asyncio.run(work(pulse))
"""
DEADLINE_SECONDS = 20.0


class FakePulse:
    """Whose silence a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.asked = 0
        self.enough = Event()

    def silent_seconds(self) -> float:
        """As it was set; `enough` is set after a hundred questions."""
        self.asked += 1
        if self.asked > 100:
            self.enough.set()
        return self.seconds


def watching(pulse: FakePulse, left: Event, awake_ticks: int) -> Watchdog:
    """A watchdog that has begun."""
    awake = awake_ticks * TICK_SECONDS
    dog = Watchdog(pulse, silent_seconds=180, awake_seconds=awake, tick_seconds=TICK_SECONDS, leave=left.set)
    dog.start()
    return dog


def test_a_silent_process_leaves() -> None:
    """Given a pulse that has been silent for too long while the process was awake."""
    pulse, left = FakePulse(), Event()
    pulse.seconds = 181
    watching(pulse, left, awake_ticks=5)
    assert left.wait(DEADLINE_SECONDS)
    assert pulse.asked > 5


def test_a_process_that_gets_on_stays() -> None:
    """However often it is looked at."""
    pulse, left = FakePulse(), Event()
    pulse.seconds = 179
    dog = watching(pulse, left, awake_ticks=5)
    assert pulse.enough.wait(DEADLINE_SECONDS)
    assert not left.is_set()
    dog.stop()


def test_a_process_that_was_frozen_gets_time_to_go_on() -> None:
    """Its silence is long when it wakes up, and says nothing until it had its ticks."""
    pulse, left = FakePulse(), Event()
    pulse.seconds = 10_000
    dog = watching(pulse, left, awake_ticks=10_000)
    assert pulse.enough.wait(DEADLINE_SECONDS)
    assert not left.is_set()
    dog.stop()


def test_a_real_process_whose_loop_hangs_ends_and_says_where() -> None:
    """One that is only slow lives on; the stack of what hung is in its log."""
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (1, "hangs\n")
    assert "nothing went well for" in done.stderr
    assert "in work" in done.stderr
