"""The published events, as their publisher knows them: every event once, from its acknowledgement on."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock

METERS = ("sms.send", "sms.receive", "voice.outbound", "voice.inbound", "voice.ai", "did.monthly")
SOURCE = "/chaos"
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Usage:
    """One billable action; `time` is a whole second."""

    id: str
    account: str
    meter: str
    quantity: int
    time: datetime

    @property
    def identity(self) -> tuple[str, ...]:
        """What it is known by: the same id may be used for another account or meter."""
        return self.id, self.meter, self.account

    def as_binary(self) -> tuple[bytes, list[tuple[str, bytes]]]:
        """As CloudEvents' binary mode writes it: data in the value, and a header for each attribute."""
        event = self.as_event()
        data = json.dumps(event.pop("data")).encode()
        return data, [(f"ce_{name}", str(text).encode()) for name, text in event.items()]

    def as_event(self) -> dict[str, object]:
        """As CloudEvents 1.0 writes it."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": SOURCE,
            "type": self.meter,
            "subject": self.account,
            "time": self.time.isoformat(),
            "data": {"quantity": self.quantity},
        }


Place = tuple[str, str]  # account, meter


class Truth:
    """Told by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._acknowledged: dict[tuple[str, ...], Usage] = {}
        self.rejects: dict[bytes, str] = {}
        """What can't be counted, by its bytes: the reason."""

    def acknowledge(self, usage: Usage) -> None:
        """Kafka has it, or the spool that will bring it there; again changes nothing."""
        with self._lock:
            self._acknowledged[usage.identity] = usage

    def identities(self) -> set[tuple[str, ...]]:
        """Every event."""
        with self._lock:
            return set(self._acknowledged)

    def whole(self) -> Counter[Place]:
        """Units by account and meter."""
        return self.since(_EVER)

    def since(self, start: datetime) -> Counter[Place]:
        """The same, of what happened from then on."""
        units: Counter[Place] = Counter()
        with self._lock:
            for usage in self._acknowledged.values():
                if usage.time >= start:
                    units[usage.account, usage.meter] += usage.quantity
        return units


def utc_now() -> datetime:
    """Now, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def shown(units: Mapping[Place, int], account: str) -> dict[str, int]:
    """An account's units, with a zero for each meter that was not used."""
    return {meter: units.get((account, meter), 0) for meter in METERS}
