"""All that Redis holds of one shard at one moment, read past the product's own readers."""

from calendar import timegm
from collections import Counter
from dataclasses import dataclass
from typing import Self

from ledger.keys import ShardKeys
from ledger.state import Log
from tests.simulation.redis_server import RedisMachine
from tests.simulation.truth import Bucket

DAY = 86_400
DEDUPE, ORDER, ASIDE, ENDED = "d:", "due:order", "due:aside", "ended"
FIELDS_A_MONTH = 31


@dataclass(frozen=True, slots=True)
class Photo:
    """Hashes by name without the shard's tag; due buckets, in the order or aside; rows that ended without delivery."""

    number: int
    _hashes: dict[str, dict[str, bytes]]
    due_order: set[str]
    ended: set[str]

    @classmethod
    def of(cls, machine: RedisMachine, keys: ShardKeys) -> Self:
        """The shard as it is now."""
        tag = keys.fences.removesuffix("f")
        order: list[bytes] = machine.client.zrange(keys.due_order, 0, -1)
        aside: list[bytes] = machine.client.zrange(keys.aside, 0, -1)
        if both := set(order) & set(aside):
            raise AssertionError(f"{both} is in the order, and set aside as well")
        ended: set[bytes] = machine.client.smembers(keys.ended)
        return cls(
            keys.shard,
            machine.hashes(tag, DEDUPE, ORDER, ASIDE, ENDED),
            {name.decode() for name in (*order, *aside)},
            {name.decode() for name in ended},
        )

    def fields(self, name: str) -> dict[str, bytes]:
        """One hash."""
        return self._hashes.get(name, {})

    def number_of(self, field: str) -> int:
        """A number among the fences."""
        return int(self.fields("f").get(field, 0))

    def fence(self, log: Log) -> int:
        """Where a log's fold stands."""
        return self.number_of(log.value)

    def hours(self) -> dict[Bucket, int]:
        """Units by account, meter and hour."""
        return {
            (account, int(field) // 24, int(day) * 24 + int(field) % 24): int(units)
            for account, day, fields in self._of_accounts("u")
            for field, units in fields.items()
        }

    def days(self) -> dict[Bucket, int]:
        """Units by account, meter and day."""
        return {
            (account, int(field) // FIELDS_A_MONTH, _first_day(month) + int(field) % FIELDS_A_MONTH): int(units)
            for account, month, fields in self._of_accounts("t")
            for field, units in fields.items()
            if field != "fence"
        }

    def accepted(self) -> dict[str, int]:
        """Units that Stripe has accepted, by meter, minute and customer."""
        total: Counter[str] = Counter()
        for _, _, fields in self._of_accounts("s"):
            total.update({name: int(units) for name, units in fields.items() if name[0] != "c"})  # c: carried
        return dict(total)

    def carried(self) -> dict[str, int]:
        """Units that were carried forward, by account, meter and minute."""
        return {
            f"{account}|{name.removeprefix('c|')}": int(units)
            for account, _, fields in self._of_accounts("s")
            for name, units in fields.items()
            if name[0] == "c"
        }

    def _of_accounts(self, kind: str) -> list[tuple[str, str, dict[str, bytes]]]:
        names = [(name.split(":"), fields) for name, fields in self._hashes.items()]
        return [(name[1], name[2], fields) for name, fields in names if name[0] == kind]


def _first_day(month: str) -> int:
    return timegm((int(month[:4]), int(month[4:]), 1, 0, 0, 0)) // DAY
