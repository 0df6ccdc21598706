"""The usage fold, second half: one call per batch, atomically."""

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, starmap
from operator import attrgetter

from ledger.answer import Answer, read_answer
from ledger.script import FENCE, load
from ledger.shard import Shard
from metering.counting import Counter, Mark, UsageBatch
from metering.dedupe import DedupeWindow
from metering.outage import RejectWindow
from metering.row import bucket_key
from metering.span import DAY_HOURS, MONTH_DAYS, month_and_day

_APPLY = load("apply_usage", FENCE, log="usage")
_DROP = load("drop_keys", log="usage")
_hour = attrgetter("hour")
SETS_PER_CALL = 1000  # bounds a script's time, and what Lua unpacks at once (below some 8,000)


async def apply_usage(
    shard: Shard, batch: UsageBatch, window: DedupeWindow, rejects: RejectWindow | None = None
) -> Answer:
    """Counts a batch if the shard stands at its start. The answer's value is the duplicates found in the state.

    Args:
        shard: the batch's shard.
        batch: what the records amount to.
        window: the dedupe blocks as they are at the batch's start.
        rejects: the reject window after the batch, kept beside the fence.
    """
    keys, sets = shard.keys, window.sets_of(batch.block)
    blocks = [(batch.block, sets), *window.earlier(batch.block).items()]
    days = _account_days(batch.counters)
    names = [keys.due, keys.due_order]
    args: list[str | bytes | int] = [
        *(batch.start, batch.end, batch.high_ms, mark_text(batch.last), batch.block, sets),
        *(batch.read, batch.duplicates, len(batch.rejected), len(batch.misplaced)),
        *(len(batch.groups), len(blocks), len(batch.counters), len(days)),
        str(rejects or ""),
        array("d", chain.from_iterable(zip(batch.units, map(_hour, batch.counters), strict=True))).tobytes(),
        *starmap(bucket_key, batch.counters),
    ]
    for index, group in batch.groups.items():
        names += [keys.remembered(block, index % count) for block, count in blocks]
        args.append(array("Q", group[1::2]).tobytes())
        args += group[::2]
    for (account, day), entries in days.items():
        names += (keys.hours(account, day), keys.days(account, _month_and_day(day)[0]))
        args.append(array("Q", sorted(entries)).tobytes())
    return read_answer(await shard.run(_APPLY, names, args))


async def drop_block(shard: Shard, block: int, sets: int, *, at: int) -> None:
    """Forgets an expired dedupe block; doing it twice is harmless, and so is to die half-way.

    Args:
        shard: the block's shard.
        block: its number.
        sets: how many sets it has.
        at: the fence at which it had expired. A shard that was flushed since may be filling it again.
    """
    names = [shard.keys.remembered(block, index) for index in range(sets)]
    for first in range(0, sets, SETS_PER_CALL):
        last = first + SETS_PER_CALL >= sets
        fields = (f"sets:{block}", f"members:{block}") if last else ()
        await shard.run(_DROP, names[first : first + SETS_PER_CALL], [at, *fields])


def _account_days(counters: Sequence[Counter]) -> Mapping[tuple[str, int], list[int]]:
    """The counters of each account and day, since a write costs by the hash.

    Each as field of the days * 2**48 + field of the hours * 2**32 + number, so that they sort by either field.
    """
    days: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for number, (account, meter, hour) in enumerate(counters, 1):
        day, hour_of_day = divmod(hour, DAY_HOURS)
        day_field = meter * MONTH_DAYS + _month_and_day(day)[1] - 1
        days[account, day].append(day_field << 48 | meter * DAY_HOURS + hour_of_day << 32 | number)
    return days


_month_and_day = lru_cache(maxsize=128)(month_and_day)  # a day has many accounts


def mark_text(mark: Mark | None) -> str:
    """A mark as the fences hash keeps it; empty for none."""
    return "" if mark is None else f"{mark.offset}:{mark.append_ms}:{mark.crc}"
