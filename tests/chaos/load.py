"""The load: two unrelated clients publish without a pause, repeat themselves, and don't trust silence.

Half of the events go through the product's emitter, half through librdkafka, whose partitioner is not Kafka's own: it
puts nearly every event on another account's partition. An event that is not acknowledged for a while is published
again under the same id, through either client, until it is.
"""

import json
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from heapq import heappop, heappush
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from random import Random
from threading import Event, Thread
from typing import Any

from confluent_kafka import Producer
from prometheus_client import CollectorRegistry

from producers.emitter import UsageEmitter
from producers.settings import EmitterSettings
from tests.chaos.story import Story
from tests.chaos.truth import SOURCE, Truth, Usage, utc_now
from tests.chaos.workload import Workload
from tests.support.eventually import eventually

TOPIC = "usage.events"
EVENTS_PER_SECOND = 150
TICK_SECONDS = 0.05
DUPLICATES = 0.02
DUPLICATE_SECONDS = 20.0  # a duplicate comes so much later at most
REJECTS = 0.01
SILENCE_SECONDS = 3.0
FINISH_SECONDS = 90.0


class Load:
    """Publishes in a thread of its own, from `with` to `finish`."""

    def __init__(self, bootstrap: str, accounts: Sequence[str], spool: Path, seed: int, story: Story) -> None:
        self.truth = Truth()
        self._story = story
        self._random = Random(seed)  # noqa: S311
        self._workload = Workload(self._random, accounts)
        # No idempotence: what librdkafka sends again after a fault may be in the log twice.
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5, "acks": "all", "log_level": 0})
        settings = EmitterSettings(bootstrap_servers=bootstrap, spool_directory=spool)
        self._emitter = UsageEmitter(settings, registry=CollectorRegistry())
        self._silent: dict[str, tuple[Usage, float]] = {}  # not acknowledged; published at
        self._answers: SimpleQueue[tuple[Usage, BaseException | None]] = SimpleQueue()
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
        return not self._silent and not len(self._producer)

    def _run(self) -> None:
        try:
            self._go_on()
        except Exception as error:
            self._failure = error
            self._story.tell(f"WRONG: the load ended: {error!r}")

    def _go_on(self) -> None:
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
            reason, value = self._workload.reject(utc_now())
            self.truth.rejects[value] = reason
            self._produce(value, value, None)
            return
        usage = self._workload.usage(utc_now())
        self._publish(usage)
        if self._random.random() < DUPLICATES:
            due = time.monotonic() + self._random.uniform(0, DUPLICATE_SECONDS)
            heappush(self._later, (due, next(self._order), usage))

    def _publish(self, usage: Usage) -> None:
        self._silent[usage.id] = (usage, time.monotonic())
        if self._random.random() < 0.5:
            self._produce(json.dumps(usage.as_event()).encode(), usage.account.encode(), usage)
        else:
            self._emit(usage)

    def _emit(self, usage: Usage) -> None:
        delivery = self._emitter.emit(
            usage.meter, usage.account, source=SOURCE, id=usage.id, quantity=usage.quantity, time=usage.time
        )

        def settled(done: Future[Any]) -> None:
            self._answers.put((usage, done.exception()))

        delivery.add_done_callback(settled)

    def _produce(self, value: bytes, key: bytes, usage: Usage | None) -> None:
        try:
            self._producer.produce(TOPIC, value, key, on_delivery=partial(self._delivered, usage, value))
        except BufferError:
            self._delivered(usage, value, "its buffer is full", None)

    def _delivered(self, usage: Usage | None, value: bytes, error: object, _message: object) -> None:
        if usage is not None:
            self._answers.put((usage, None if error is None else RuntimeError(str(error))))
        elif error is not None:
            self._produce(value, value, None)

    def _listen(self) -> None:
        """Takes what was acknowledged, and publishes again what was not for too long."""
        self._producer.poll(0)
        while True:
            try:
                usage, error = self._answers.get_nowait()
            except Empty:
                break
            if error is None:
                self.truth.acknowledge(usage)
                self._silent.pop(usage.id, None)
        now = time.monotonic()
        for usage, since in list(self._silent.values()):
            if now - since > SILENCE_SECONDS:
                self._story.count("published again after silence")
                self._publish(usage)
