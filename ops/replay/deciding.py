"""Decides the fate of an item: it is sent, it would be rejected, or it belongs to another account.

Duplicates are not decided here: the aggregator recognises them (and `forecast.py`, for a dry run).
"""

from dataclasses import dataclass, field

from aggregator.publisher import Message
from metering.event import read_event
from metering.reject import Reject, RejectReason
from ops.logs.dead_letters import event_attributes
from ops.logs.republish import republished, without
from ops.replay.reading import Item

REPLAY_OF = "replay.of"
"""Header of a copy: the place of the original, topic/partition/offset or file:line."""

_NEVER_SENT = frozenset({RejectReason.EMPTY, RejectReason.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of a whole replay: the topic to write, the only account (None: all), and whether rejects are sent."""

    topic: str
    partitions: int
    account: str | None = None
    send_rejected: bool = False


@dataclass(slots=True)
class Decided:
    """The decision for a batch: the records to publish, and the rejects with their places."""

    messages: list[Message] = field(default_factory=list)
    rejected: list[tuple[str, Reject]] = field(default_factory=list)


def decide(items: list[Item], rules: Rules, now_ms: int) -> Decided:
    """Decides a batch at `now_ms` (Unix ms), the append time that the copies are about to get."""
    decided = Decided()
    for item in items:
        event = read_event(item.value, now_ms, item.headers)
        account = _claimed_account(item) if isinstance(event, Reject) else event.account
        if rules.account not in {None, account}:
            continue
        if isinstance(event, Reject):
            decided.rejected.append((item.place, event))
            if not rules.send_rejected or event.reason in _NEVER_SENT:
                continue
        headers = [*without(item.headers, [REPLAY_OF]), (REPLAY_OF, item.place.encode())]
        decided.messages.append(
            republished(rules.topic, account, item.value, headers, key=item.key, partitions=rules.partitions)
        )
    return decided


def _claimed_account(item: Item) -> str | None:
    """Returns the account that a rejected event names, or its key."""
    return event_attributes(item.value, item.headers)[1] or (item.key.decode(errors="replace") if item.key else None)
