"""The publisher on a real broker: what it refuses for being too large is one record's fate, and nobody else's."""

from collections.abc import AsyncIterator

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from kafka import KafkaAdminClient

from aggregator.faust_adapter.app import _producer
from aggregator.folds.dead_letters import dead_letter
from aggregator.folds.rerouting import rerouted_copy
from aggregator.publisher import KafkaPublisher, Message
from aggregator.settings import AggregatorSettings
from metering.counting import LogRecord, Misplaced
from metering.origin import Place
from metering.reject import Reject, RejectReason
from ops.logs.reader import LogReader
from tests.metering.events import Record, event

USAGE, DEAD = "usage", "dead"
MOST = {USAGE: 40_000, DEAD: 30_000}  # bytes that a topic takes of a batch: far less than it should
WRONG = Reject(RejectReason.INVALID_EVENT, "wrong")


@pytest.fixture
def settings(kafka_bootstrap: str, topic_prefix: str, kafka_admin: KafkaAdminClient) -> AggregatorSettings:
    """Of a platform whose topics take little."""
    kafka_admin.create_topics(
        {
            topic_prefix + name: {
                "num_partitions": 1,
                "replication_factor": 1,
                "configs": {"max.message.bytes": str(most)},
            }
            for name, most in MOST.items()
        }
    )
    return AggregatorSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix)


@pytest.fixture
async def publisher(settings: AggregatorSettings) -> AsyncIterator[KafkaPublisher]:
    """As the aggregator has it."""
    publisher = KafkaPublisher(lambda: _producer(settings))
    await publisher.start()
    yield publisher
    await publisher.stop()


class Topics:
    """The topics of one test."""

    def __init__(self, settings: AggregatorSettings) -> None:
        self._settings = settings
        self.usage, self.dead = (settings.topic_prefix + name for name in (USAGE, DEAD))

    def copy(self, *headers: tuple[str, bytes], source: str = "/tests") -> Message:
        """Of a countable event that was found on the wrong partition."""
        record = Record(7, event(source=source), headers=headers)
        return rerouted_copy(Place(self.usage, 3), Misplaced(record, "acme", 0, 0), self.dead)

    def letter(self, value: bytes) -> Message:
        """Of a record that can't be counted."""
        return dead_letter(self.dead, self.usage, 3, Record(8, value, key=b"key"), WRONG)

    def written(self, topic: str) -> list[LogRecord]:
        """What lies in a topic."""
        with LogReader(self._settings) as reader:
            held = reader.bounds(topic)[0]
            return [record for records in reader.read(topic, 0, *held) for record in records]


@pytest.fixture
def topics(settings: AggregatorSettings) -> Topics:
    """Both."""
    return Topics(settings)


async def test_a_copy_too_large_goes_without_headers_that_say_nothing_of_the_event(
    publisher: KafkaPublisher, topics: Topics
) -> None:
    """It is counted all the same; what CloudEvents says in headers stays."""
    await publisher.publish([topics.copy(("pad", bytes(50_000)), ("ce_id", b"1")), topics.copy(("small", b"x"))])

    whole, small = sorted(topics.written(topics.usage), key=lambda each: len(each.headers))

    assert [name for name, _ in whole.headers][:1] == ["small"]
    assert [name for name, _ in small.headers] == [
        *("ce_id", "origin.topic", "origin.partition", "origin.offset", "origin.time", "origin.headers")
    ]
    assert dict(small.headers)["origin.headers"] == b"left out"
    assert small.value == event()
    assert not topics.written(topics.dead)


async def test_a_copy_too_large_without_them_is_a_dead_letter(publisher: KafkaPublisher, topics: Topics) -> None:
    """A bare one, where the dead letters' topic takes no more either. What is published with it is written."""
    await publisher.publish([topics.copy(source="/" + "x" * 45_000), topics.copy(), topics.letter(b"{")])

    (copied,) = topics.written(topics.usage)
    assert copied.value == event()
    letters = {dict(each.headers)["dlq.offset"]: each for each in topics.written(topics.dead)}
    told = dict(letters[b"7"].headers)
    assert told["dlq.reason"] == b"too_large"
    assert b"belongs to partition 0" in (told["dlq.detail"] or b"")
    assert int(told["dlq.value.length"] or 0) > 45_000
    assert letters[b"8"].value == b"{"


async def test_a_record_that_is_refused_holds_up_nothing_that_comes_after_it(
    publisher: KafkaPublisher, topics: Topics
) -> None:
    """To the same partition: the broker expects no other record first."""
    for value in (bytes(35_000), b"1", bytes(3_000_000), b"2"):
        await publisher.publish([topics.letter(value)])

    assert [record.value for record in topics.written(topics.dead)] == [b"", b"1", b"", b"2"]


async def test_what_has_nothing_in_its_place_is_an_error(publisher: KafkaPublisher, topics: Topics) -> None:
    """The topic takes nothing at all then, and a person must be told."""
    with pytest.raises(MessageSizeTooLargeError):
        await publisher.publish([Message(topics.dead, b"key", bytes(35_000), [])])
