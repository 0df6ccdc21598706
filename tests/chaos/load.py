"""The load: two unrelated clients publish without a pause, repeat themselves, and don't trust silence.

Half of the events go through the product's emitter, half through foreign clients, in both of CloudEvents' modes. Among
them are records that can't be counted. An event that is not acknowledged for a while is published again under the same
id, through any client, until it is.
"""

import json
import time
from collections.abc import Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from threading import Event, Thread

from prometheus_client import CollectorRegistry

from telephony_billing_producers import EmitterSettings, UsageEmitter
from tests.chaos.foreign import ForeignClients
from tests.chaos.poison import Bad
from tests.chaos.story import Story
from tests.chaos.truth import SOURCE, Truth, Usage, utc_now
from tests.chaos.workload import Workload
from tests.support.eventually import eventually

TOPIC = "usage.events"
EVENTS_PER_SECOND = 150
TICK_SECONDS = 0.05
DUPLICATES = 0.02
DUPLICATE_SECONDS = 20.0  # a duplicate comes so much later at most
REJECTS = 0.02
BINARY = 0.2
"""Of what foreign clients publish, events in binary mode."""
SILENCE_SECONDS = 3.0
FINISH_SECONDS = 90.0


class Load:
    """Publishes in a thread of its own, from `with` to `finish`."""

    def __init__(self, bootstrap: str, accounts: Sequence[str], spool: Path, seed: int, story: Story) -> None:
        self.truth = Truth()
        self._story = story
        self._random = Random(seed)  # noqa: S311
        self._workload = Workload(self._random, accounts)
        self._foreign = ForeignClients(bootstrap, TOPIC, self._random)
        settings = EmitterSettings(bootstrap_servers=bootstrap, spool_directory=spool)
        self._emitter = UsageEmitter(settings, registry=CollectorRegistry())
        self._silent: dict[tuple[str, ...], tuple[Usage, float]] = {}  # not acknowledged; published at
        self._answers: SimpleQueue[tuple[Usage, object]] = SimpleQueue()
        self._later: list[tuple[float, int, Usage]] = []
        self._order = count()
        self._failure: BaseException | None = None
        self._stop = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._emitter.close()
        self._foreign.close()

    def finish(self) -> None:
        """Publishes the last duplicates, and returns once everything is acknowledged."""
        self._stop.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure
        while self._later:
            self._publish(heappop(self._later)[2])
        eventually(self._all_acknowledged, deadline=FINISH_SECONDS, what="every event to be acknowledged")
        self._emitter.flush(FINISH_SECONDS)

    def _all_acknowledged(self) -> bool:
        self._listen()
        return not self._silent and not self._foreign.waiting()

    def _run(self) -> None:
        try:
            self._go_on()
        except Exception as error:
            self._failure = error
            self._story.tell(f"WRONG: the load ended: {error!r}")

    def _go_on(self) -> None:
        for bad in self._workload.each_bad(utc_now()):
            self._spoil(bad)
        began, made = time.monotonic(), 0
        while not self._stop.wait(TICK_SECONDS):
            now = time.monotonic()
            # What a fault held up is not caught up on: the load goes on, it does not jump.
            made = max(made, int((now - began - 1) * EVENTS_PER_SECOND))
            while made < (now - began) * EVENTS_PER_SECOND:
                self._make()
                made += 1
            while self._later and self._later[0][0] <= now:
                self._story.count("duplicates published")
                self._publish(heappop(self._later)[2])
            self._listen()

    def _make(self) -> None:
        if self._random.random() < REJECTS:
            self._spoil(self._workload.bad(utc_now()))
            return
        usage = self._workload.usage(utc_now())
        self._publish(usage)
        if self._random.random() < DUPLICATES:
            due = time.monotonic() + self._random.uniform(0, DUPLICATE_SECONDS)
            heappush(self._later, (due, next(self._order), usage))

    def _spoil(self, bad: Bad) -> None:
        """Whether it arrives does not matter: what is in the log must have its dead letter."""
        self.truth.rejects[bad.value or b""] = bad.reason
        self._foreign.produce(bad.value, bad.key, bad.headers, lambda _: None)

    def _publish(self, usage: Usage) -> None:
        self._silent[usage.identity] = (usage, time.monotonic())
        if self._random.random() < 0.5:
            binary = self._random.random() < BINARY
            value, headers = usage.as_binary() if binary else (json.dumps(usage.as_event()).encode(), [])
            self._foreign.produce(value, usage.account.encode(), headers, partial(self._answered, usage))
        else:
            self._emit(usage)

    def _emit(self, usage: Usage) -> None:
        delivery = self._emitter.emit(
            usage.meter, usage.account, source=SOURCE, id=usage.id, quantity=usage.quantity, time=usage.time
        )

        delivery.add_done_callback(lambda done: self._answered(usage, done.exception()))

    def _answered(self, usage: Usage, error: object) -> None:
        self._answers.put((usage, error))

    def _listen(self) -> None:
        """Takes what was acknowledged, and publishes again what was not for too long."""
        self._foreign.poll()
        while True:
            try:
                usage, error = self._answers.get_nowait()
            except Empty:
                break
            if error is None:
                self.truth.acknowledge(usage)
                self._silent.pop(usage.identity, None)
        now = time.monotonic()
        for usage, since in list(self._silent.values()):
            if now - since > SILENCE_SECONDS:
                self._story.count("published again after silence")
                self._publish(usage)
