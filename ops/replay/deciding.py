"""What becomes of one item: it is sent, it would be rejected, or it is not of the account that is asked for."""

from dataclasses import dataclass, field

from aggregator.publisher import Message
from metering.event import read_event
from metering.reject import Reject, RejectReason
from ops.logs.dead_letters import event_attributes
from ops.logs.republish import republished, without
from ops.replay.reading import Item

REPLAY_OF = "replay.of"
"""Header of a copy: where the record that it repeats was read."""

_NEVER_SENT = frozenset({RejectReason.EMPTY, RejectReason.TOO_LARGE})


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for a whole replay: where it goes, whose events, and whether rejects go as well."""

    topic: str
    partitions: int
    account: str | None = None
    send_rejected: bool = False


@dataclass(slots=True)
class Decided:
    """A batch, decided: what to publish, and what would be rejected, with its place."""

    messages: list[Message] = field(default_factory=list)
    rejected: list[tuple[str, Reject]] = field(default_factory=list)


def decide(items: list[Item], rules: Rules, now_ms: int) -> Decided:
    """Decides a batch as of `now_ms` (Unix ms), the append time that the copies are about to get."""
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
    """Whose event it means to be, although it is none."""
    return event_attributes(item.value, item.headers)[1] or (item.key.decode(errors="replace") if item.key else None)
