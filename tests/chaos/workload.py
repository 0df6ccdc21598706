"""What is published: drawn from a seed, without any client."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from tests.chaos.truth import METERS, Usage

LATE_HOURS = (1, 2, 26, 33 * 24)
LATE = 0.1
MOST_UNITS = 9
_TOO_OLD, _TOO_NEW = timedelta(days=36), timedelta(days=1)


class Workload:
    """Usage of some accounts, and records that can't be counted."""

    def __init__(self, random: Random, accounts: Sequence[str]) -> None:
        self._random = random
        self._accounts = accounts
        self._made = 0

    def usage(self, now: datetime) -> Usage:
        """The next event: of now, or late by up to 33 days."""
        random = self._random
        hours = random.choice(LATE_HOURS) if random.random() < LATE else 0
        account, meter = random.choice(self._accounts), random.choice(METERS)
        return Usage(self._name(), account, meter, random.randint(1, MOST_UNITS), now - timedelta(hours=hours))

    def reject(self, now: datetime) -> tuple[str, bytes]:
        """Bytes that no other record has, and why they can't be counted."""
        valid = Usage(self._name(), self._random.choice(self._accounts), METERS[0], 1, now).as_event()
        reason, changes = self._random.choice(
            [
                ("unknown_meter", {"type": "fax.send"}),
                ("time_too_old", {"time": (now - _TOO_OLD).isoformat()}),
                ("time_in_future", {"time": (now + _TOO_NEW).isoformat()}),
                ("invalid_quantity", {"data": {"quantity": "2"}}),
                ("invalid_account", {"subject": "no such account"}),
                ("invalid_event", {"specversion": "0.3"}),
                ("invalid_json", None),
            ]
        )
        return reason, f"{{{valid['id']}".encode() if changes is None else json.dumps(valid | changes).encode()

    def _name(self) -> str:
        self._made += 1
        return f"u{self._made}"
