"""An account's units in several slots of time, with what Stripe has accepted in them: one moment's view of both."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.reading import AccountChangedError, NotReadyError
from ledger.script import EXACT, READY, load
from ledger.shard import Shard
from metering.meters import CATALOGUE
from metering.span import DAY_HOURS, DAY_SECONDS, MINUTE_SECONDS, MONTH_DAYS, Span

_READ = load("read_history", (*READY, EXACT))
_DAY_MINUTES = DAY_SECONDS // MINUTE_SECONDS

Units = tuple[int, ...]
"""Per meter, in catalogue order."""


@dataclass(frozen=True, slots=True)
class History:
    """Units per slot. `as_of_ms` is the last moment (Unix ms) the shard was caught up.

    `accepted` and `carried` are of the slots between the cuts: what Stripe has taken under a timestamp in the slot, and
    how much of that was used in an earlier billing period. None while the push log is not ready.
    """

    units: tuple[Units, ...]
    accepted: tuple[Units, ...] | None
    carried: tuple[Units, ...] | None
    as_of_ms: int


async def read_history(
    shard: Shard, account: str, record: bytes, spans: Sequence[Span], cuts: Sequence[int]
) -> History:
    """An account's units in slots that were drawn from its `record`.

    Args:
        shard: the account's.
        account: its id.
        record: its record, as the caller knows it.
        spans: a slot's buckets each.
        cuts: Unix seconds between which accepted units are summed: n cuts are n - 1 slots, without gaps.

    Raises:
        NotReadyError: the shard is being folded.
        AccountChangedError: the record is another one now; draw the slots again.
    """
    names, reads = _reads(shard, account, spans)
    minutes = [cut // MINUTE_SECONDS for cut in cuts]
    indexes = [meter.index for meter in CATALOGUE]
    args: list[str | bytes | int] = [
        account,
        record,
        len(CATALOGUE),
        len(spans),
        len(names),
        *indexes,
        *reads,
        *minutes,
    ]
    by_day = _accepted_names(shard, account, minutes)
    status, *rest = await shard.run(_READ, [shard.keys.accounts, *names, *by_day], args)
    if status == b"NOT_READY":
        raise NotReadyError
    if status == b"CHANGED":
        raise AccountChangedError(bytes(rest[0]))
    as_of, units, *taken = rest
    told = tuple(_slots(each) for each in taken)  # nothing while the push log is not ready
    accepted, carried = told or (None, None)
    return History(_slots(units), accepted, carried, int(as_of))


def _reads(shard: Shard, account: str, spans: Sequence[Span]) -> tuple[list[str], list[int]]:
    names, reads = list[str](), list[int]()
    for slot, span in enumerate(spans):
        for days in span.days:
            names.append(shard.keys.days(account, days.month))
            reads += (slot, MONTH_DAYS, days.first - 1, days.last - 1)
        for hours in span.hours:
            names.append(shard.keys.hours(account, hours.day))
            reads += (slot, DAY_HOURS, hours.first, hours.last)
    return names, reads


def _accepted_names(shard: Shard, account: str, minutes: Sequence[int]) -> list[str]:
    first, last = minutes[0] // _DAY_MINUTES, (minutes[-1] - 1) // _DAY_MINUTES
    return [shard.keys.accepted(account, day) for day in range(first, last + 1)]


def _slots(flat: Sequence[bytes]) -> tuple[Units, ...]:
    size = len(CATALOGUE)
    return tuple(tuple(int(value) for value in flat[at : at + size]) for at in range(0, len(flat), size))
