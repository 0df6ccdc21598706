"""What a publisher is told on its command line, and what it answers on its standard output: a line of JSON each."""

import json
from dataclasses import asdict, dataclass
from typing import Self

BARE_PYTHON, EMIT_PYTHON = "bare kafka-python", "emit, kafka-python"
BARE_C, EMIT_C = "bare confluent-kafka", "emit, librdkafka"
PUBLISHERS = (BARE_PYTHON, EMIT_PYTHON, BARE_C, EMIT_C)


@dataclass(frozen=True, slots=True)
class PublishTask:
    """Publish `events` events, at `rate` events per second or, when that is 0, as fast as it goes.

    Attributes:
        publisher: one of `PUBLISHERS`.
        bootstrap: Kafka's address.
        prefix: of the usage topic.
        spool: an emitter's directory.
        events: how many.
        rate: events per second.
        seed: makes the events' ids; another for each turn.
    """

    publisher: str
    bootstrap: str
    prefix: str
    spool: str
    events: int
    rate: float
    seed: int

    def text(self) -> str:
        """As a command-line argument."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a command-line argument."""
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What publishing took.

    Attributes:
        events: how many.
        seconds: on the wall, until Kafka had acknowledged the last one.
        cpu_seconds: of the whole process, its client's threads included.
        median_us: microseconds of one call, as its caller saw them; 0 where calls were not timed.
        p99_us: of 99 % of the calls at most.
    """

    events: int
    seconds: float
    cpu_seconds: float
    median_us: float
    p99_us: float

    def text(self) -> str:
        """As a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, output: str) -> Self:
        """From what a publisher printed last."""
        return cls(**json.loads(output.splitlines()[-1]))

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for an event."""
        return 1e6 * self.cpu_seconds / self.events
