"""What Stripe has accepted, minute by minute: what its summaries are compared with."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.reading import NotReadyError
from ledger.scan import scan_keys
from ledger.script import MASTER, load
from ledger.shard import Shard
from metering.meters import BY_INDEX
from metering.span import MINUTE_SECONDS

_READ = load("read_accepted_days", MASTER)
_DAYS_PER_CALL = 40  # of at most some hundred minutes each
_CARRIED = "c"


class Lane(NamedTuple):
    """A customer and meter: what a question to Stripe's summaries is about."""

    customer: str
    meter: str


@dataclass(slots=True)
class Accepted:
    """Units by minute (its first second). `carried`: how many of an account's were carried forward, by meter."""

    units: defaultdict[Lane, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    carried: defaultdict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))


async def accepted_days(shard: Shard) -> dict[str, list[int]]:
    """The days (since the epoch) with accepted units, by account of the shard."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    async for names in scan_keys(shard, "s:"):
        for name in names:
            account, _, day = name.partition("}s:")[2].rpartition(":")
            found[account].add(int(day))
    return {account: sorted(days) for account, days in sorted(found.items())}


async def read_accepted_days(shard: Shard, account: str, days: Sequence[int]) -> Accepted:
    """What Stripe has accepted of an account on some days.

    Raises:
        NotReadyError: the push log is being folded: it may be less than what was accepted.
    """
    accepted = Accepted()
    for first in range(0, len(days), _DAYS_PER_CALL):
        names = [shard.keys.accepted(account, day) for day in days[first : first + _DAYS_PER_CALL]]
        status, *rest = await shard.run(_READ, names, [])
        if status == b"NOT_READY":
            raise NotReadyError
        for flat in rest[1:]:
            _add(accepted, zip(flat[::2], flat[1::2], strict=True))
    return accepted


def _add(accepted: Accepted, fields: Iterable[tuple[bytes, bytes]]) -> None:
    for name, units in fields:
        first, second, third = name.decode().split("|", 2)
        if first == _CARRIED:
            accepted.carried[BY_INDEX[int(second)].name][int(third) * MINUTE_SECONDS] = int(units)
        else:
            lane = Lane(third, BY_INDEX[int(first)].name)
            accepted.units[lane][int(second) * MINUTE_SECONDS] = int(units)
