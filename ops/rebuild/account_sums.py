"""Sums the units of a shard by account and meter, to compare before and after a rebuild."""

from collections import Counter

from ledger.counters import in_calls, read_counters
from ledger.scan import scan_keys
from ledger.shard import Shard
from metering.meters import BY_INDEX
from metering.span import DAY_HOURS

Sums = Counter[tuple[str, str]]  # (account, meter) → units


async def sum_units(shard: Shard, from_hour: int) -> Sums:
    """Returns the units by account and meter, of buckets from `from_hour` on (hours since 1970)."""
    names: set[str] = set()
    async for found in scan_keys(shard, "u:"):
        names.update(found)
    sums: Sums = Counter()
    for some in in_calls(names):
        for name, fields in (await read_counters(shard, some)).hashes.items():
            account, _, day = name.partition("}u:")[2].rpartition(":")
            for field, units in fields.items():
                meter, hour = divmod(field, DAY_HOURS)
                if int(day) * DAY_HOURS + hour >= from_hour and meter in BY_INDEX:
                    sums[account, BY_INDEX[meter].name] += units
    return sums


def shrunk(before: Sums, after: Sums) -> dict[tuple[str, str], tuple[int, int]]:
    """Returns the sums that became smaller: (before, after) by account and meter."""
    return {place: (units, after[place]) for place, units in before.items() if after[place] < units}
