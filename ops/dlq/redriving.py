"""Redrives: plans all letters, then publishes and marks the ones to send, a few hundred at a time."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from aggregator.publisher import Message
from ops.console.bar import Bar
from ops.dlq.counted_before import check_counted_before
from ops.dlq.letter_records import letter_records
from ops.dlq.marking import mark_record
from ops.dlq.planning import Fate, Planned, Redrive, plan_letter
from ops.logs.dead_letters import DeadLetter, LetterMark
from runtime.settings import KafkaSettings

CHUNK = 500  # letters published, and then marked, at once


def plan_letters(settings: KafkaSettings, letters: Sequence[DeadLetter], redrive: Redrive) -> list[Planned]:
    """Returns the fates of the letters. The plan leaves out the records, which may be large.

    Raises:
        OpsError: Kafka does not answer.
    """
    planned = list[Planned]()
    with Bar("letters looked at", len(letters)) as bar:
        for letter, record in letter_records(settings, letters):
            planned.append(replace(plan_letter(letter, record, redrive), message=None))
            bar.advance()
    return check_counted_before(settings, planned, redrive)


def to_send(planned: Sequence[Planned]) -> list[DeadLetter]:
    """Returns the letters that a plan sends."""
    return [each.letter for each in planned if each.fate is Fate.SEND]


def redriven_records(
    settings: KafkaSettings, letters: Sequence[DeadLetter], redrive: Redrive
) -> Iterator[list[tuple[DeadLetter, Message]]]:
    """Yields the records to publish for letters that a plan sends, in chunks."""
    pairs = (
        (letter, planned.message)
        for letter, record in letter_records(settings, letters)
        if (planned := plan_letter(letter, record, redrive)).message is not None
    )
    while chunk := list(islice(pairs, CHUNK)):
        yield [(letter, message) for letter, message in chunk if message is not None]


def send(
    chunks: Iterator[list[tuple[DeadLetter, Message]]],
    publish: Callable[[Sequence[Message]], None],
    *,
    dead_letters: str,
    mark: LetterMark,
    sent_more: Callable[[int], None] = lambda _: None,
) -> int:
    """Publishes and then marks the letters, chunk by chunk. Returns the number of letters sent.

    `sent_more` takes the number of letters in a finished chunk. A letter is marked only after its record is
    acknowledged. A kill in between leaves the letter open; a second redrive is then counted as a duplicate.
    """
    sent = 0
    for chunk in chunks:
        publish([message for _, message in chunk])
        publish([mark_record(dead_letters, letter, mark) for letter, _ in chunk])
        sent += len(chunk)
        sent_more(len(chunk))
    return sent
