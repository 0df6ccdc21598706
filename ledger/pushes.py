"""The fold of the push log in Redis, and what it holds: rows in flight, parked, accepted."""

from collections.abc import Sequence

from ledger.answer import Answer, Verdict, read_answer
from ledger.reading import parse_account
from ledger.script import load
from ledger.shard import Shard
from metering.account import Account
from metering.meters import BY_NAME
from metering.push_log import InFlight, Parked, Prepared, Settled
from metering.row import Row
from metering.span import DAY_HOURS, DAY_SECONDS

_PREPARED = load("fold_prepared")
_SETTLED = load("fold_settled")
_ROWS = load("read_rows")
_ACCEPTED = load("read_accepted")
_ACCOUNTS = load("read_accounts")


async def fold_push(shard: Shard, record: Prepared | Settled, offset: int, append_ms: int) -> Answer:
    """Folds the record at `offset` if the shard stands there. The answer's value is how many rows it changed."""
    if isinstance(record, Prepared):
        return await _fold_prepared(shard, record, offset, append_ms)
    return await _fold_settled(shard, record, offset, append_ms)


async def _fold_prepared(shard: Shard, record: Prepared, offset: int, append_ms: int) -> Answer:
    keys = shard.keys
    names = [keys.due, keys.due_order, keys.in_flight, keys.held]
    args: list[str | bytes | int] = [offset, offset + 1, record.usage_fence, record.identity.model_dump_json()]
    for row in record.rows:
        day, hour = divmod(row.hour, DAY_HOURS)
        names.append(keys.hours(row.account, day))
        args += (
            row.identifier(record.identity.namespace),
            row.bucket_key,
            BY_NAME[row.meter].index * DAY_HOURS + hour,
            row.start,
            row.end,
            row.minute_key,
            InFlight(row=row, prepared_ms=append_ms).model_dump_json(),
        )
    return read_answer(await shard.run(_PREPARED, names, args))


async def _fold_settled(shard: Shard, record: Settled, offset: int, append_ms: int) -> Answer:
    keys = shard.keys
    fence, found = await _read_rows(shard, keys.in_flight, [settlement.identifier for settlement in record.settlements])
    if fence != offset:
        return _elsewhere(fence, offset)
    # Rows never change under their identifier, and the fence, then and in the script, proves that none came or went.
    entries = _in_flight(found)
    names, args = [keys.in_flight, keys.parked, keys.held], list[str | bytes | int]([offset, offset + 1])
    for settlement in record.settlements:
        entry = entries.get(settlement.identifier)
        if entry is None:
            continue
        row, parked = entry.row, ""
        if settlement.parked is not None:
            parked = Parked(
                row=row,
                prepared_ms=entry.prepared_ms,
                parked_ms=append_ms,
                reason=settlement.parked,
                detail=settlement.detail,
            ).model_dump_json()
        names.append(_accepted_key(shard, row))
        args += (settlement.identifier, row.bucket_key, row.minute_key, row.value, parked)
    return read_answer(await shard.run(_SETTLED, names, args))


async def read_in_flight(shard: Shard, identifiers: Sequence[str] = ()) -> dict[str, InFlight]:
    """The rows in flight by identifier: all of them, or those named."""
    _, found = await _read_rows(shard, shard.keys.in_flight, identifiers)
    return _in_flight(found)


async def read_in_flight_from(shard: Shard, least: int) -> dict[str, InFlight] | None:
    """All rows in flight; None where the shard stands before `least`: some of its rows may be settled by then."""
    fence, found = await _read_rows(shard, shard.keys.in_flight, ())
    return None if fence is None or fence < least else _in_flight(found)


async def read_parked(shard: Shard) -> dict[str, Parked]:
    """The parked rows by identifier."""
    _, found = await _read_rows(shard, shard.keys.parked, [])
    return {name: Parked.model_validate_json(entry) for name, entry in found.items()}


async def read_accepted(shard: Shard, row: Row, identifier: str) -> int | None:
    """The units that Stripe has accepted for the row's customer, meter and minute, by other rows.

    None once the row is not in flight any more: what it brought itself may be among them then.
    """
    units = await shard.run(_ACCEPTED, [_accepted_key(shard, row), shard.keys.in_flight], [row.minute_key, identifier])
    return None if units is None else int(units)


async def read_accounts(shard: Shard, accounts: Sequence[str]) -> dict[str, Account]:
    """The facts of some accounts."""
    if not accounts:
        return {}
    records = await shard.run(_ACCOUNTS, [shard.keys.accounts], accounts)
    return {name: parse_account(record or b"") for name, record in zip(accounts, records, strict=True)}


async def _read_rows(shard: Shard, key: str, identifiers: Sequence[str]) -> tuple[int | None, dict[str, bytes]]:
    fence, *reply = await shard.run(_ROWS, [key], identifiers)
    rows = {name.decode(): entry for name, entry in zip(reply[::2], reply[1::2], strict=True)}
    return int(fence) if fence else None, rows


def _in_flight(rows: dict[str, bytes]) -> dict[str, InFlight]:
    return {name: InFlight.model_validate_json(entry) for name, entry in rows.items()}


def _elsewhere(fence: int | None, offset: int) -> Answer:
    if fence is None:
        return Answer(Verdict.EMPTY, None)
    return Answer(Verdict.STALE if fence > offset else Verdict.GAP, fence)


def _accepted_key(shard: Shard, row: Row) -> str:
    return shard.keys.accepted(row.account, row.timestamp // DAY_SECONDS)
