"""What readers may ask of a shard: keys, accounts, usage. Each answer is atomic and only given by a ready shard."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from ledger.keys import ShardKeys
from ledger.script import EXACT, READY, load
from ledger.shard import Shard
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.meters import CATALOGUE
from metering.span import DAY_HOURS, MONTH_DAYS, Span, months_of

_FIND_KEY = load("find_key", READY)
_FIND_ACCOUNT = load("find_account", READY)
_READ_USAGE = load("read_usage", (*READY, EXACT))
_IS_READY = load("is_ready", READY)
KEPT = 10_000  # keys, and questions: who asks once asks again; below 2 KB each


class NotReadyError(Exception):
    """The shard is being folded: what it holds may be less than what was shown before. Try again soon."""


class AccountChangedError(Exception):
    """The account's record is not the one that the question was drawn from; `record` is today's."""

    def __init__(self, record: bytes) -> None:
        super().__init__("the account's record has changed")
        self.record = record


@dataclass(frozen=True, slots=True)
class Totals:
    """Units per meter in catalogue order. `as_of_ms` is the last moment (Unix ms) the shard was caught up.

    The same `version` of the same span means the same units, until the shard is folded from an empty state again.
    """

    units: tuple[int, ...]
    as_of_ms: int
    version: bytes = field(default=b"", compare=False)


async def ready_as_of(shard: Shard) -> int | None:
    """The last moment (Unix ms) the shard was caught up, if it answers readers now; else None."""
    status, *rest = await shard.run(_IS_READY, [], [])
    return int(rest[0]) if status == b"READY" else None


async def is_ready(shard: Shard) -> bool:
    """Whether the shard answers readers now."""
    return await ready_as_of(shard) is not None


async def find_key(shard: Shard, key_hash: str) -> ApiKeyRecord | None:
    """The record of an API key's hash, or None for an unknown or revoked key. `shard` is the hash's own.

    Raises:
        NotReadyError: the shard can't tell yet.
    """
    status, *rest = await shard.run(_FIND_KEY, [shard.keys.api_keys], [key_hash])
    if status == b"NOT_READY":
        raise NotReadyError
    return parse_key(rest[0]) if rest else None


async def find_account(shard: Shard, account: str) -> bytes:
    """The account's record as its log has it; empty for none.

    Raises:
        NotReadyError: the shard can't tell yet.
    """
    status, *rest = await shard.run(_FIND_ACCOUNT, [shard.keys.accounts], [account])
    if status == b"NOT_READY":
        raise NotReadyError
    return bytes(rest[0])


parse_key = lru_cache(maxsize=KEPT)(ApiKeyRecord.model_validate_json)


def parse_account(record: bytes) -> Account:
    """An account from its record; an account without one has no facts."""
    return Account.model_validate_json(record) if record else Account()


async def read_usage(shard: Shard, account: str, record: bytes, span: Span, known: Totals | None = None) -> Totals:
    """An account's units over a span that was drawn from its `record`.

    Args:
        shard: the account's.
        account: whose units.
        record: as the accounts log has it.
        span: the hours.
        known: the last totals of this very span: while nothing more was counted, the shard need not sum them up again.

    Raises:
        NotReadyError: the shard is being folded.
        AccountChangedError: the record is another one now; draw the span again.
    """
    names, reads = _usage_reads(shard.keys, account, span)
    version = known.version if known else b""
    status, *rest = await shard.run(_READ_USAGE, names, [account, record, version, *reads])
    if status == b"NOT_READY":
        raise NotReadyError
    if status == b"CHANGED":
        raise AccountChangedError(bytes(rest[0]))
    if known and status == b"SAME":
        return replace(known, as_of_ms=int(rest[0]))
    as_of, version, *units = rest
    return Totals(tuple(int(value) for value in units), int(as_of), version)


@lru_cache(maxsize=KEPT)
def _usage_reads(keys: ShardKeys, account: str, span: Span) -> tuple[Sequence[str], Sequence[int]]:
    """The keys of `read_usage.lua`, and its arguments from the number of months on: as a rule the last ones."""
    months = months_of(span)
    names = [keys.accounts, *(keys.days(account, month) for month in months)]
    args = [len(months), len(CATALOGUE), *(meter.index for meter in CATALOGUE)]
    for days in span.days:
        names.append(keys.days(account, days.month))
        args += (MONTH_DAYS, days.first - 1, days.last - 1)
    for hours in span.hours:
        names.append(keys.hours(account, hours.day))
        args += (DAY_HOURS, hours.first, hours.last)
    return names, args
