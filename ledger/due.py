"""What is due: buckets with units that no row has claimed yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.reading import NotReadyError, parse_account
from ledger.script import load
from ledger.shard import Shard
from metering.account import Account
from metering.row import split_bucket_key
from metering.span import DAY_HOURS

_LIST = load("list_due")
_QUOTE = load("quote_due")


@dataclass(frozen=True, slots=True)
class Quote:
    """One due bucket: units counted and not claimed yet, and its account's facts."""

    bucket: str
    counted: int
    due: int
    account: Account


@dataclass(frozen=True, slots=True)
class Quotes:
    """Some buckets at one moment: `usage_fence` is the count's, `held` what unresolved rows hold."""

    usage_fence: int
    held: frozenset[str]
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class DueHour:
    """The buckets of one hour that are due."""

    hour: int
    buckets: list[str]


async def list_due(shard: Shard, first_hour: int, last_hour: int) -> DueHour | None:
    """What is due of the first hour, within bounds, that has anything due; None if none has.

    Buckets that are closed (`metering.retention`) are never due.

    Raises:
        NotReadyError: the shard is being folded; what it has may be the least of it.
    """
    status, *rest = await shard.run(_LIST, [shard.keys.due_order], [first_hour, last_hour])
    if status == b"NOT_READY":
        raise NotReadyError
    return DueHour(int(rest[0]), [name.decode() for name in rest[1]]) if rest else None


async def quote_due(shard: Shard, buckets: Sequence[str]) -> Quotes:
    """Everything that planning these buckets takes, read atomically.

    Raises:
        NotReadyError: the shard is being folded; accounts may not be known yet.
    """
    keys = shard.keys
    names, args = [keys.due, keys.accounts, keys.held], list[str | bytes | int]()
    for bucket in buckets:
        account, meter, hour = split_bucket_key(bucket)
        day, hour_of_day = divmod(hour, DAY_HOURS)
        names.append(keys.hours(account, day))
        args += (account, bucket, meter * DAY_HOURS + hour_of_day)
    status, *rest = await shard.run(_QUOTE, names, args)
    if status == b"NOT_READY":
        raise NotReadyError
    fence, held, *quotes = rest
    return Quotes(int(fence or 0), frozenset(name.decode() for name in held), tuple(_quotes(buckets, quotes)))


def _quotes(buckets: Sequence[str], replies: Sequence[Sequence[bytes]]) -> Iterable[Quote]:
    for bucket, (counted, due, record) in zip(buckets, replies, strict=True):
        yield Quote(bucket, int(counted), int(due), parse_account(record))
