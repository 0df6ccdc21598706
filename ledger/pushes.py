"""What the fold of the push log holds: rows in flight, parked, accepted."""

from collections.abc import Sequence
from functools import lru_cache

from ledger.reading import NotReadyError, parse_account
from ledger.script import load
from ledger.shard import Shard
from metering.account import Account
from metering.push_fold import InFlight, Parked
from metering.row import Row
from metering.span import DAY_SECONDS

_ROWS = load("read_rows")
_ACCEPTED = load("read_accepted")
_ACCOUNTS = load("read_accounts")

read_entry = lru_cache(maxsize=16_384)(InFlight.model_validate_json)  # a worker reads what is in flight again and again


async def read_in_flight(shard: Shard, identifiers: Sequence[str] = ()) -> dict[str, InFlight]:
    """The rows in flight by identifier: all of them, or those named."""
    _, found = await read_rows(shard, shard.keys.in_flight, identifiers)
    return {name: read_entry(entry) for name, entry in found.items()}


async def read_in_flight_from(shard: Shard, least: int) -> dict[str, InFlight] | None:
    """All rows in flight; None where the shard stands before `least`: some of its rows may be settled by then."""
    fence, found = await read_rows(shard, shard.keys.in_flight, ())
    if fence is None or fence < least:
        return None
    return {name: read_entry(entry) for name, entry in found.items()}


async def read_parked(shard: Shard) -> dict[str, Parked]:
    """The parked rows by identifier."""
    _, found = await read_rows(shard, shard.keys.parked, [])
    return {name: Parked.model_validate_json(entry) for name, entry in found.items()}


async def read_accepted(shard: Shard, row: Row, identifier: str) -> int | None:
    """The units that Stripe has accepted for the row's customer, meter and minute, by other rows.

    None once the row is neither in flight nor parked: what it brought itself may be among them then.
    """
    units = await shard.run(_ACCEPTED, [accepted_key(shard, row), shard.keys.held], [row.minute_key, identifier])
    return None if units is None else int(units)


async def read_accounts(shard: Shard, accounts: Sequence[str]) -> dict[str, Account]:
    """The facts of some accounts.

    Raises:
        NotReadyError: the shard is being folded: an account's customer and anchor may not be there yet.
    """
    if not accounts:
        return {}
    status, *rest = await shard.run(_ACCOUNTS, [shard.keys.accounts], accounts)
    if status == b"NOT_READY":
        raise NotReadyError
    return {name: parse_account(record or b"") for name, record in zip(accounts, rest[0], strict=True)}


async def read_rows(shard: Shard, key: str, identifiers: Sequence[str]) -> tuple[int | None, dict[str, bytes]]:
    """Where the push log's fold stands, and the entries of a hash of unresolved rows: all, or those named."""
    fence, *reply = await shard.run(_ROWS, [key], identifiers)
    rows = {name.decode(): entry for name, entry in zip(reply[::2], reply[1::2], strict=True)}
    return int(fence) if fence else None, rows


def accepted_key(shard: Shard, row: Row) -> str:
    """The hash that the row's units are added to once Stripe has them."""
    return shard.keys.accepted(row.account, row.timestamp // DAY_SECONDS)
