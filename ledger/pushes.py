"""What the fold of the push log holds: rows in flight, parked, accepted."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

from ledger.reading import NotReadyError, parse_account
from ledger.script import MASTER, READY, load
from ledger.shard import Shard
from metering.account import Account
from metering.push_fold import InFlight, Parked
from metering.row import Row
from metering.span import DAY_SECONDS

Entry = TypeVar("Entry", InFlight, Parked)
ROWS_PER_STEP = 1000  # 100,000 rows at once would be a third of a second of Redis, in which it serves nobody

_ROWS = load("read_rows", MASTER)
_SCAN = load("scan_rows", MASTER)
_HELD = load("read_held", MASTER)
_ACCEPTED = load("read_accepted", MASTER)
_ACCOUNTS = load("read_accounts", READY)

read_entry = lru_cache(maxsize=16_384)(InFlight.model_validate_json)  # a worker reads what is in flight again and again


class Rows(NamedTuple, Generic[Entry]):
    """Unresolved rows by identifier; `unreadable` are those that another version has written, with why."""

    entries: dict[str, Entry]
    unreadable: dict[str, ValueError]

    def all(self) -> dict[str, Entry]:
        """All of them; raises what ails one that can't be read."""
        for error in self.unreadable.values():
            raise error
        return self.entries


async def read_in_flight(shard: Shard) -> dict[str, InFlight]:
    """The rows in flight by identifier."""
    _, rows = await _all_rows(shard, shard.keys.in_flight, read_entry)
    return rows.all()


async def read_in_flight_from(shard: Shard, least: int) -> Rows[InFlight] | None:
    """All rows in flight; None where the shard stands before `least`: some of its rows may be settled by then."""
    fence, rows = await _all_rows(shard, shard.keys.in_flight, read_entry)
    return None if fence is None or fence < least else rows


async def read_parked(shard: Shard, identifiers: Sequence[str] | None = None) -> dict[str, Parked]:
    """The parked rows by identifier: all of them, or those named."""
    if identifiers is None:
        return (await read_parked_rows(shard)).all()
    _, found = await read_rows(shard, shard.keys.parked, identifiers)
    return {name: Parked.model_validate_json(entry) for name, entry in found.items()}


async def read_parked_rows(shard: Shard) -> Rows[Parked]:
    """The parked rows, as far as they can be read."""
    _, rows = await _all_rows(shard, shard.keys.parked, Parked.model_validate_json)
    return rows


async def read_accepted(shard: Shard, row: Row, identifier: str) -> int | None:
    """The units that Stripe has accepted for the row's customer, meter and minute, by other rows.

    None once the row is neither in flight nor parked: what it brought itself may be among them then.
    """
    units = await shard.run(_ACCEPTED, [accepted_key(shard, row), shard.keys.held], [row.minute_key, identifier])
    return None if units is None else int(units)


async def read_accounts(shard: Shard, accounts: Sequence[str]) -> dict[str, Account]:
    """The facts of some accounts; of one that nobody has set, that nothing is known.

    Raises:
        NotReadyError: the shard is being folded: an account's customer and anchor may not be there yet.
    """
    return {name: account or Account() for name, account in (await read_set_accounts(shard, accounts)).items()}


async def read_set_accounts(shard: Shard, accounts: Sequence[str]) -> dict[str, Account | None]:
    """The same, with None for an account that nobody has set."""
    if not accounts:
        return {}
    status, *rest = await shard.run(_ACCOUNTS, [shard.keys.accounts], accounts)
    if status == b"NOT_READY":
        raise NotReadyError
    return {
        name: None if record is None else parse_account(record) for name, record in zip(accounts, rest[0], strict=True)
    }


async def read_held(shard: Shard, names: Sequence[str]) -> dict[str, str]:
    """Which of some buckets and minutes unresolved rows hold, each with the identifier of its row."""
    if not names:
        return {}
    found = await shard.run(_HELD, [shard.keys.held], names)
    return {name: holder.decode() for name, holder in zip(names, found, strict=True) if holder is not None}


async def read_rows(shard: Shard, key: str, identifiers: Sequence[str]) -> tuple[int | None, dict[str, bytes]]:
    """Where the push log's fold stands, and the entries of a hash of unresolved rows: those named."""
    fence, *reply = await shard.run(_ROWS, [key], identifiers)
    rows = {name.decode(): entry for name, entry in zip(reply[::2], reply[1::2], strict=True)}
    return int(fence) if fence else None, rows


async def _all_rows(shard: Shard, key: str, read: Callable[[bytes], Entry]) -> tuple[int | None, Rows[Entry]]:
    """All entries of a hash of unresolved rows, some at a time; and where the fold stood at the least meanwhile.

    What is unresolved from the first step to the last is among them; what came or went in between may be. Neither
    Redis nor the caller's own other tasks wait for more than a step.
    """
    cursor, fences, rows = b"0", list[bytes](), Rows[Entry]({}, {})
    while not fences or cursor != b"0":
        fence, cursor, found = await shard.run(_SCAN, [key], [cursor, ROWS_PER_STEP])
        fences.append(fence)
        for name, entry in zip(found[::2], found[1::2], strict=True):
            try:
                rows.entries[name.decode()] = read(entry)
            except ValueError as error:  # pydantic's among them
                rows.unreadable[name.decode()] = error
    return min(map(int, fences)) if all(fences) else None, rows


def accepted_key(shard: Shard, row: Row) -> str:
    """The hash that the row's units are added to once Stripe has them."""
    return shard.keys.accepted(row.account, row.timestamp // DAY_SECONDS)
