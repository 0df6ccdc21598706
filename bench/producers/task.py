"""A publisher's task (its command-line argument) and its outcome (its standard output), both as a line of JSON."""

from dataclasses import dataclass

from bench.task import JsonLine

BARE_PYTHON, EMIT_PYTHON = "bare kafka-python", "emit, kafka-python"
BARE_C, EMIT_C = "bare confluent-kafka", "emit, librdkafka"
PUBLISHERS = (BARE_PYTHON, EMIT_PYTHON, BARE_C, EMIT_C)


@dataclass(frozen=True, slots=True)
class PublishTask(JsonLine):
    """Publish `events` events, at `rate` events per second or, when that is 0, as fast as it goes.

    Attributes:
        publisher: one of `PUBLISHERS`.
        bootstrap: Kafka's address.
        prefix: the prefix of the usage topic.
        spool: the spool directory of an emitter.
        events: the number of events.
        rate: events per second.
        seed: makes the events' ids; different in every turn.
    """

    publisher: str
    bootstrap: str
    prefix: str
    spool: str
    events: int
    rate: float
    seed: int


@dataclass(frozen=True, slots=True)
class PublishOutcome(JsonLine):
    """The cost of publishing.

    Attributes:
        events: the number of events.
        seconds: elapsed time until Kafka had acknowledged the last event.
        cpu_seconds: processor time of the whole process, with the client's threads.
        median_us: median microseconds of one call for its caller; 0 if calls were not timed.
        p99_us: the 99th percentile of the same.
    """

    events: int
    seconds: float
    cpu_seconds: float
    median_us: float
    p99_us: float

    @property
    def rate(self) -> float:
        """Events per second."""
        return self.events / self.seconds

    @property
    def cpu_us(self) -> float:
        """Returns the microseconds of processor time per event."""
        return 1e6 * self.cpu_seconds / self.events
