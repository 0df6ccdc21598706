"""`python -m local.demo --directory DIR`: runs the telephony services of a demo until SIGTERM."""

import argparse
import json
import logging
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from local.demo.traffic import Traffic
from local.demo.usage import Services, publish_period
from local.stack.private_file import replace_private
from local.stack.topic_id import topic_id
from metering.period import Period, period_containing
from runtime.failing import ends_in_one_line
from runtime.kafka import connection_options
from runtime.logs import configure_logging
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames
from telephony_billing_producers import EmitterSettings, UsageEmitter

ACKNOWLEDGE_SECONDS = 30.0  # seconds until Kafka must have acknowledged a period's events

log = logging.getLogger("demo")


@dataclass(slots=True)
class Published:
    """Remembers the period whose usage Kafka has acknowledged, so that a restart does not publish it again."""

    file: Path
    topic: str

    def has(self, period: Period) -> bool:
        """Returns whether the period's usage is in this topic already."""
        try:
            return bool(json.loads(self.file.read_text()) == self._mark(period))
        except (FileNotFoundError, ValueError):
            return False

    def note(self, period: Period) -> None:
        """Remembers the period."""
        replace_private(self.file, json.dumps(self._mark(period)) + "\n")

    def _mark(self, period: Period) -> dict[str, str | int]:
        return {"topic": self.topic, "period": period.start}


class Demo:
    """Publishes the documented usage once per period, and live traffic all the time."""

    def __init__(self, emitter: UsageEmitter, published: Published, rng: random.Random) -> None:
        self._emitter = emitter
        self._published = published
        self._services = Services.on(emitter)
        self._traffic = Traffic(self._services, rng)
        self._period: Period | None = None

    def turn(self, now: float) -> float:
        """Performs one action, and returns the seconds to wait until the next one. `now` is in Unix seconds."""
        if self._period is None or not self._period.contains(int(now)):
            self._period = period_containing(int(now), None)
            self._begin(self._period)
        self._traffic.act()
        return self._traffic.pause()

    def _begin(self, period: Period) -> None:
        if self._published.has(period):
            return
        count = sum(1 for _ in publish_period(self._services, period))
        self._emitter.flush(ACKNOWLEDGE_SECONDS)
        self._published.note(period)
        log.info("published the %d events of the period", count)


def run(settings: KafkaSettings, directory: Path, stopping: Callable[[], bool]) -> None:
    """Publishes until `stopping()`.

    Raises:
        KafkaUnreachableError, TimeoutError: Kafka is away at the start. Later it may be away: the emitter has a spool.
    """
    options = connection_options(settings)
    options.pop("bootstrap_servers")
    emitter = UsageEmitter(
        EmitterSettings(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            topic_prefix=settings.topic_prefix,
            spool_directory=directory / "spool",
            kafka_options=options,
        ),
        registry=CollectorRegistry(),
    )
    with emitter:
        usage = topic_id(settings, TopicNames(settings.topic_prefix).usage)
        demo = Demo(emitter, Published(directory / "published.json", usage), random.Random())  # noqa: S311 - a demo
        while not stopping():
            time.sleep(demo.turn(time.time()))


def main() -> None:
    """Runs until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description="Demo traffic.")
    parser.add_argument("--directory", type=Path, required=True, help="keeps the demo's state and its spool")
    arguments = parser.parse_args()
    configure_logging()
    with ends_in_one_line("demo"):
        stops: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, _: stops.append(signum))
        run(KafkaSettings(), arguments.directory, lambda: bool(stops))


if __name__ == "__main__":
    main()
