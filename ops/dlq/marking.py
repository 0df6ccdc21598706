"""The record that marks a letter as handled. It is in the dead-letter topic: only Kafka has to be backed up."""

import socket

from aggregator.folds.dead_letters import OFFSET, PARTITION, TOPIC
from aggregator.publisher import Message
from metering.rfc3339 import from_unix
from ops.console.running_user import running_user
from ops.logs.dead_letters import MARK, MARK_AT, MARK_BY, MARK_WHY, DeadLetter, LetterMark, MarkKind


def make_mark(kind: MarkKind, now: float, why: str = "") -> LetterMark:
    """Returns a mark at the time `now` (Unix seconds), by the user who runs the command."""
    return LetterMark(kind, f"{running_user()}@{socket.gethostname()}", from_unix(int(now)), why)


def mark_record(to: str, letter: DeadLetter, mark: LetterMark) -> Message:
    """Returns the record that marks a letter, for the dead-letter topic `to` and the letter's own partition there."""
    origin = letter.origin
    texts = [
        (MARK, mark.kind.value),
        (TOPIC, origin.topic),
        (PARTITION, str(origin.partition)),
        (OFFSET, str(origin.offset)),
        (MARK_BY, mark.by),
        (MARK_AT, mark.at),
    ]
    if mark.why:
        texts.append((MARK_WHY, mark.why))
    headers = [(name, text.encode(errors="replace")) for name, text in texts]
    return Message(to, None, b"", headers, letter.place.partition)
