"""Reads the letters' records again from the dead-letter topic, in its order, a few at a time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from metering.counting import LogRecord
from ops.logs.dead_letters import DeadLetter
from ops.logs.reader import LogReader
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

_NEAR = 1_000  # offsets: the reader reads on over a smaller gap, and seeks over a larger one


def letter_records(settings: KafkaSettings, letters: Sequence[DeadLetter]) -> Iterator[tuple[DeadLetter, LogRecord]]:
    """Yields the letters with their records.

    Raises:
        OpsError: Kafka does not answer.
    """
    topic = TopicNames(settings.topic_prefix).dead_letters
    places: defaultdict[int, dict[int, DeadLetter]] = defaultdict(dict)
    for letter in letters:
        places[letter.place.partition][letter.place.offset] = letter
    if not letters:
        return
    with LogReader(settings) as reader:
        for partition, by_offset in sorted(places.items()):
            for start, end in _stretches(sorted(by_offset)):
                for records in reader.read_around(topic, partition, start, end, lambda _: None):  # no letter is there
                    yield from ((by_offset[each.offset], each) for each in records if each.offset in by_offset)


def _stretches(offsets: Sequence[int]) -> Iterator[tuple[int, int]]:
    start = last = offsets[0]
    for offset in offsets[1:]:
        if offset - last > _NEAR:
            yield start, last + 1
            start = offset
        last = offset
    yield start, last + 1
