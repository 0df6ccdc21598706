"""Strikes the processes of a running stack as the schedule says."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from functools import partial
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Any

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.chaos.demotion import Demotion
from tests.chaos.redis_past import RedisPast
from tests.chaos.schedule import REDIS, STRIPE, STRIPE_WORKERS, Action, Fault
from tests.chaos.story import Story
from tests.support.eventually import eventually
from tests.support.stack import Stack

After = tuple[float, Callable[[], Any]] | None

TICK_SECONDS = 0.1
LAG_SECONDS = 0.5  # of the copy that takes over
FLUSH_SECONDS = 1.0
SESSION_SECONDS = 10.0
EXCUSE_SECONDS = 10.0


class Breaker:
    """Carries out a schedule, and wakes up what it froze, whatever happens."""

    def __init__(self, stack: Stack, story: Story) -> None:
        self._stack = stack
        self._story = story
        self._past = RedisPast(stack.directory / "data" / "redis")
        self._frozen: dict[int, str] = {}
        self._excuses: list[float] = []
        self._demotions: list[Demotion] = []

    def run(self, faults: Iterable[Fault], seconds: float) -> None:
        """Until all faults are over."""
        began, order = self._story.now(), count()
        agenda: list[tuple[float, int, Callable[[], After]]]
        agenda = [(fault.at, next(order), partial(self._strike, fault)) for fault in faults]
        heapify(agenda)
        try:
            while (moment := self._story.now() - began) < seconds or agenda:
                self._past.note(self._story.now())
                while agenda and agenda[0][0] <= moment:
                    at, _, act = heappop(agenda)
                    if (after := act()) is not None:
                        heappush(agenda, (at + after[0], next(order), after[1]))
                time.sleep(TICK_SECONDS)
        finally:
            for pid in list(self._frozen):
                self._wake(pid)
            for demotion in self._demotions:
                demotion.close()

    def excused(self, moment: float) -> bool:
        """Whether two calls at once, seen at a moment, are nobody's fault.

        A worker that dies leaves its calls behind, and a frozen Stripe takes them up only when it wakes up; a worker
        that wakes up goes on with a call before it can know that it was replaced.
        """
        return any(0 <= moment - since <= EXCUSE_SECONDS for since in self._excuses)

    def _strike(self, fault: Fault) -> After:
        """Does it; gives what is to be done so many seconds later."""
        pid = self._stack.pid(fault.target)
        self._story.tell(f"{fault} (process {pid})")
        self._story.count(fault.action.value)
        match fault.action:
            case Action.KILL:
                self._signal(pid, signal.SIGKILL)
            case Action.RESTART:
                self._signal(pid, signal.SIGTERM)
            case Action.FREEZE:
                if pid is not None and pid not in self._frozen and self._signal(pid, signal.SIGSTOP):
                    self._frozen[pid] = fault.target
                    return fault.seconds, partial(self._end_freeze, fault, pid)
            case Action.FLUSH:
                self._flush()
            case Action.SET_BACK:
                self._set_back(pid, fault.seconds)
            case Action.DEMOTE:
                return self._demote(fault.seconds)
        return None

    def _end_freeze(self, fault: Fault, pid: int) -> None:
        if fault.dies:
            self._story.tell(f"{fault.target}: kill -9 in its sleep (process {pid})")
            del self._frozen[pid]
            self._signal(pid, signal.SIGKILL)
            return
        self._story.tell(f"{fault.target}: SIGCONT after {fault.seconds:.1f} s (process {pid})")
        self._wake(pid)
        if fault.target == STRIPE or (fault.target in STRIPE_WORKERS and fault.seconds >= SESSION_SECONDS):
            self._excuses.append(self._story.now())

    def _wake(self, pid: int) -> None:
        del self._frozen[pid]
        self._signal(pid, signal.SIGCONT)

    def _signal(self, pid: int | None, number: signal.Signals) -> bool:
        try:
            if pid is not None:
                os.kill(pid, number)
        except ProcessLookupError:
            pid = None
        if pid is None:
            self._story.tell("  it is down")
        return pid is not None

    def _flush(self) -> None:
        client = redis.Redis.from_url(
            self._stack.env["BILLING_REDIS_URL"], socket_timeout=FLUSH_SECONDS, retry=Retry(NoBackoff(), 0)
        )
        try:
            client.flushall()
        except redis.RedisError as error:
            self._story.tell(f"  not done: {error}")
        finally:
            client.close()

    def _demote(self, seconds: float) -> After:
        demotion = Demotion(self._stack.env["BILLING_REDIS_URL"])
        self._demotions.append(demotion)
        try:
            demotion.promote_copy()
        except (redis.RedisError, AssertionError) as error:
            self._story.tell(f"  not done: {error}")
            return None

        def demote() -> After:
            self._try(demotion.demote)
            return seconds, lambda: self._try(demotion.end)

        return LAG_SECONDS, demote

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except redis.RedisError as error:
            self._story.tell(f"  {REDIS} does not answer: {error}")

    def _set_back(self, pid: int | None, seconds: float) -> None:
        """Freezes first: the server must be dead when its file is cut, and must not be started again before."""
        if pid is None or not self._signal(pid, signal.SIGSTOP):
            return
        eventually(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, what=f"{REDIS} to stand still")
        lost = self._past.cut(self._story.now() - seconds)
        self._story.tell(f"  {REDIS} has lost its last {lost} bytes")
        self._signal(pid, signal.SIGKILL)
