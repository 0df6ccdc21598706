"""Bad records that clients write by mistake or malice: bytes and headers that can't be counted, with the reasons."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from tests.chaos.truth import METERS, Usage

GIANT = 3 * 1024 * 1024  # packed, some kilobytes; unpacked, more than a dead letter may have
LARGE = 70 * 1024
TOO_OLD, TOO_NEW = timedelta(days=36), timedelta(days=1)
Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that can't be counted. No good one has its value."""

    reason: str
    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()


class NotUtf8(str):
    """A header's name that is no text: clients in other languages take any bytes."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        """Its bytes, whatever is asked for."""
        return b"\xff\xfe" + super().encode(encoding, errors)


class Poison:
    """Draws bad records."""

    def __init__(self, random: Random, accounts: Sequence[str], name: Callable[[], str]) -> None:
        """`name` gives ids that nothing else has."""
        self._random = random
        self._accounts = accounts
        self._name = name
        self._kinds = (
            *(self.changed, self.changed, self.no_json, self.one_byte, self.incomplete_binary, self.large),
            *(self.nothing, self.giant, self.forged_origin, self.strange_header),
        )

    def each(self, now: datetime) -> list[Bad]:
        """One of every kind."""
        return [kind(now) for kind in self._kinds]

    def draw(self, now: datetime) -> Bad:
        """The next one."""
        return self._random.choice(self._kinds)(now)

    def changed(self, now: datetime) -> Bad:
        """An event with one thing wrong."""
        kinds: list[tuple[str, dict[str, object]]] = [
            ("unknown_meter", {"type": "fax.send"}),
            ("time_too_old", {"time": (now - TOO_OLD).isoformat()}),
            ("time_in_future", {"time": (now + TOO_NEW).isoformat()}),
            ("invalid_quantity", {"data": {"quantity": "2"}}),
            ("invalid_account", {"subject": "no such account"}),
            ("invalid_event", {"specversion": "0.3"}),
        ]
        reason, changes = self._random.choice(kinds)
        return self._event(reason, now, changes)

    def no_json(self, now: datetime) -> Bad:
        """Bytes that begin like an event."""
        return Bad("invalid_json", f"{{{self._name()}".encode())

    def one_byte(self, now: datetime) -> Bad:
        """JSON all the same."""
        return Bad("invalid_event", b"0", self._name().encode())

    def incomplete_binary(self, now: datetime) -> Bad:
        """An event in CloudEvents' binary mode that lacks attributes."""
        value = json.dumps({"quantity": 5, "note": self._name()}).encode()
        return Bad("invalid_event", value, headers=[("ce_specversion", b"1.0"), ("ce_type", METERS[0].encode())])

    def large(self, now: datetime) -> Bad:
        """More than an event may have."""
        return Bad("too_large", bytes(LARGE))

    def nothing(self, now: datetime) -> Bad:
        """Neither key nor value."""
        return Bad("empty", None)

    def giant(self, now: datetime) -> Bad:
        """Some kilobytes, once they are packed."""
        return Bad("too_large", bytes(GIANT))

    def forged_origin(self, now: datetime) -> Bad:
        """An old event that says that it was published in time, and copied from another partition since."""
        then = now - TOO_OLD
        origin = {"topic": "usage.events", "partition": "1", "offset": "0", "time": str(int(then.timestamp() * 1000))}
        headers = [(f"origin.{name}", text.encode()) for name, text in origin.items()]
        return self._event("time_too_old", now, {"time": then.isoformat()}, headers)

    def strange_header(self, now: datetime) -> Bad:
        """Its name is no text."""
        return self._event("unknown_meter", now, {"type": "fax.send"}, [(NotUtf8("name"), b"\xff")])

    def _event(self, reason: str, now: datetime, changes: Mapping[str, object], headers: Headers = ()) -> Bad:
        good = Usage(self._name(), self._random.choice(self._accounts), METERS[0], 1, now).as_event()
        return Bad(reason, json.dumps(good | dict(changes)).encode(), headers=headers)
