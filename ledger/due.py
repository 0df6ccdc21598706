"""What is due: buckets with units that no row has claimed yet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.reading import NotReadyError, parse_account
from ledger.script import READY, load
from ledger.shard import Shard
from metering.account import Account
from metering.row import split_bucket_key
from metering.span import DAY_HOURS

_LIST = load("list_due", READY)
_QUOTE = load("quote_due", (*READY, "safe"))
_SET_ASIDE = load("set_aside", READY)
_CHANGED = load("find_changed", READY)
_BRING_BACK = load("bring_back", READY)
ACCOUNTS_PER_STEP = 500
BUCKETS_PER_STEP = 1000


@dataclass(frozen=True, slots=True)
class Quote:
    """One due bucket: units counted and not claimed yet, and its account's facts, from its `record`."""

    bucket: str
    counted: int
    due: int
    account: Account
    record: bytes = b""


@dataclass(frozen=True, slots=True)
class Quotes:
    """Some buckets at one moment: `usage_fence` is the count's."""

    usage_fence: int
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
    names, args = [keys.due, keys.accounts], list[str | bytes | int]()
    for bucket in buckets:
        account, meter, hour = split_bucket_key(bucket)
        day, hour_of_day = divmod(hour, DAY_HOURS)
        names.append(keys.hours(account, day))
        args += (account, bucket, meter * DAY_HOURS + hour_of_day)
    status, *rest = await shard.run(_QUOTE, names, args)
    if status == b"NOT_READY":
        raise NotReadyError
    fence, *quotes = rest
    return Quotes(int(fence or 0), tuple(_quotes(buckets, quotes)))


async def set_aside(shard: Shard, quotes: Sequence[Quote]) -> None:
    """Takes buckets out of the order until their account's record is another than the one they were quoted with.

    They stay due, and grow. Nothing is lost by a caller who is late: a record that has changed sets nothing aside.
    """
    keys, args = shard.keys, list[str | bytes | int]()
    for quote in quotes:
        args += (split_bucket_key(quote.bucket)[0], quote.record, quote.bucket)
    if args:
        await shard.run(_SET_ASIDE, [keys.due_order, keys.aside, keys.aside_records, keys.accounts], args)


async def bring_back(shard: Shard) -> int:
    """Brings back what was set aside of accounts whose record has changed; gives how many accounts have more aside.

    Costs a call for each 500 accounts that have buckets aside, however many those are.

    Raises:
        NotReadyError: the shard is being folded; accounts may not be known yet.
    """
    keys, cursor, accounts = shard.keys, b"0", 0
    while True:
        args: list[str | bytes | int] = [cursor, ACCOUNTS_PER_STEP]
        status, *rest = await shard.run(_CHANGED, [keys.aside_records, keys.accounts], args)
        if status == b"NOT_READY":
            raise NotReadyError
        accounts, cursor, changed = rest
        for name in changed:
            accounts -= await _bring_account_back(shard, name)
        if cursor == b"0":
            return int(accounts)


async def _bring_account_back(shard: Shard, account: bytes) -> bool:
    """Some buckets at a time; True once all of them are back."""
    keys = shard.keys
    while True:
        names = [keys.due_order, keys.aside, keys.aside_records]
        found = await shard.run(_BRING_BACK, names, [account, BUCKETS_PER_STEP])
        if isinstance(found, list):
            raise NotReadyError
        if found < BUCKETS_PER_STEP:
            return True


def _quotes(buckets: Sequence[str], replies: Sequence[Sequence[bytes]]) -> Iterable[Quote]:
    for bucket, (counted, due, record) in zip(buckets, replies, strict=True):
        yield Quote(bucket, int(counted), int(due), parse_account(record), record)
