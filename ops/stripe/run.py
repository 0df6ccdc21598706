"""Gives one order: finds the row, checks the order, appends it, and returns the result in words."""

from dataclasses import dataclass

from ledger.pushes import read_accepted, read_held, read_in_flight, read_parked
from metering.deliveries import LoggedRow
from metering.push_fold import QUIET_MS, Parked
from metering.push_log import ParkOrder, ReissueOrder, RetryOrder, WriteOffOrder
from metering.row import Row
from ops.console.errors import OpsError
from ops.logs.reader import Bounds
from ops.stripe.delivered import find_rows
from ops.stripe.desk import Desk
from ops.stripe.parked import SHORT, ParkedRow, one_of, parked_rows
from ops.stripe.plan import Change, changed_row, check_absent, check_lacking, check_quiet, check_retry, check_sole

EARLY_MS = 3600 * 1000  # milliseconds: a row is prepared after its timestamp, but clocks may disagree


@dataclass(frozen=True, slots=True)
class Signed:
    """The person who gives an order, and the reason."""

    who: str
    why: str


async def retry(desk: Desk, text: str, signed: Signed) -> str:
    """Sends a parked row again as it is."""
    row = await find_parked(desk, text)
    check_retry(row.entry, desk.now_ms())
    await desk.order(row.shard, [RetryOrder(who=signed.who, why=signed.why, identifier=row.identifier)])
    again = await _still_parked(desk, row.shard, row.identifier)
    if again == row.entry:
        raise _refused(row.identifier)
    if again is not None:
        raise OpsError(f"{row.identifier[:SHORT]} was parked again ({again.reason}): {again.detail}")
    return f"{row.identifier[:SHORT]}: on its way to Stripe again, {_units(row.entry.row)}"


async def write_off(desk: Desk, text: str, signed: Signed) -> str:
    """Gives a parked row up: its units are never billed."""
    row = await find_parked(desk, text)
    await desk.order(row.shard, [WriteOffOrder(who=signed.who, why=signed.why, identifier=row.identifier)])
    if await _still_parked(desk, row.shard, row.identifier):
        raise _refused(row.identifier)
    return f"{row.identifier[:SHORT]}: written off, {_units(row.entry.row)} will never be billed"


async def reissue(desk: Desk, text: str, change: Change, signed: Signed) -> str:
    """Replaces a parked row that Stripe does not have."""
    old = await find_parked(desk, text)
    now_ms = desk.now_ms()
    name = old.entry.row.account
    account = (await desk.facts(old.shard, [name]))[name]
    grace = desk.settings.finalization_grace_seconds
    new = changed_row(old.entry.row, change, account, now=now_ms // 1000, grace=grace)
    check_quiet(old.entry.parked_ms, now_ms, "parked")
    check_sole(desk.accounts(), new.account, new.customer)
    await _check_free(desk, old, new)
    identity = await desk.identity(old.shard)
    held = await (await desk.asking()).held(old.entry.row)
    without = await read_accepted(desk.shards[old.shard], old.entry.row, old.identifier)
    if without is None:
        raise _refused(old.identifier)
    check_absent(old.entry, without, held)
    order = ReissueOrder(
        who=signed.who,
        why=signed.why,
        old=old.identifier,
        parked_ms=old.entry.parked_ms,
        namespace=identity.namespace,
        row=new,
        planned_ms=now_ms,
    )
    await desk.order(old.shard, [order])
    if await _still_parked(desk, old.shard, old.identifier):
        raise _refused(old.identifier)
    name = new.identifier(identity.namespace)[:SHORT]
    return f"{old.identifier[:SHORT]}: replaced by {name}, on its way to Stripe, {_units(new)}"


async def park(desk: Desk, text: str, signed: Signed) -> str:
    """Parks a delivered row that is missing in Stripe's summary."""
    known = await parked_rows(desk.shards)
    if one_of({row.identifier: row for row in known}, text) is not None:
        raise OpsError(f"{text} is parked already: billing stripe parked shows it")
    shard, found, delivered_ms = _delivered(desk, text)
    check_quiet(delivered_ms, desk.now_ms(), "delivered")
    await desk.identity(shard)
    accepted, held = await desk.accepted(found.row, shard), await (await desk.asking()).held(found.row)
    check_lacking(found.row, accepted, _fresh(desk, shard, found.row), held)
    order = ParkOrder(
        who=signed.who,
        why=signed.why,
        namespace=found.namespace,
        row=found.row,
        prepared_ms=found.prepared_ms,
        delivered_ms=delivered_ms,
    )
    await desk.order(shard, [order])
    if not await _still_parked(desk, shard, found.identifier):
        raise _refused(found.identifier)
    return f"{found.identifier[:SHORT]}: parked, {_units(found.row)}; now retry, reissue or write-off"


async def find_parked(desk: Desk, text: str) -> ParkedRow:
    """Returns the parked row whose identifier begins with `text`.

    Raises:
        OpsError: no parked row does, or several do.
    """
    rows = {row.identifier: row for row in await parked_rows(desk.shards)}
    identifier = one_of(rows, text)
    if identifier is None:
        for shard in desk.shards:
            if one_of(await read_in_flight(shard), text) is not None:
                raise OpsError(f"{text} is on its way to Stripe: only what is parked takes this order")
        raise OpsError(f"no parked row's identifier begins with {text!r}: billing stripe parked shows all")
    return rows[identifier]


async def _still_parked(desk: Desk, shard: int, identifier: str) -> Parked | None:
    return (await read_parked(desk.shards[shard], [identifier])).get(identifier)


async def _check_free(desk: Desk, old: ParkedRow, new: Row) -> None:
    """Refuses a new row for a minute that another unresolved row holds."""
    holder = (await read_held(desk.shards[old.shard], [new.minute_key])).get(new.minute_key)
    if holder not in {None, old.identifier}:
        raise OpsError(
            f"{str(holder)[:SHORT]} holds that minute of the customer and meter, and one row at a time may: wait "
            "until it is settled, or choose another --timestamp"
        )


def _delivered(desk: Desk, text: str) -> tuple[int, LoggedRow, int]:
    """Finds a delivered row in the whole push log. Returns its shard, the row, and the time of delivery (Unix ms)."""
    found = dict[str, tuple[int, LoggedRow]]()
    for shard, held in desk.reader.bounds(desk.topic).items():
        rows = find_rows(desk.reader, desk.topic, shard, held, lambda _, name: bool(text) and name.startswith(text))
        found |= {name: (shard, logged) for name, logged in rows.items()}
    delivered = {name: (*at, at[1].delivered_ms) for name, at in found.items() if at[1].delivered_ms is not None}
    identifier = one_of(delivered, text)
    if identifier is None:
        if found:
            raise OpsError(f"{text} is in the push log, but was not delivered: only a delivered row can be parked")
        raise OpsError(f"no row in the push log has an identifier that begins with {text!r}")
    return delivered[identifier]


def _fresh(desk: Desk, shard: int, found: Row) -> int:
    """Returns the units of the row's minute that were delivered so recently that Stripe's summary may lack them."""
    start = desk.reader.offsets_at(desk.topic, max(0, found.timestamp * 1000 - EARLY_MS))[shard]
    held = desk.reader.bounds(desk.topic)[shard]
    stretch = Bounds(held.end if start is None else max(start, held.earliest), held.end)
    rows = find_rows(desk.reader, desk.topic, shard, stretch, lambda row, _: row.minute_key == found.minute_key)
    since_ms = desk.now_ms() - QUIET_MS
    return sum(each.row.value for each in rows.values() if (each.delivered_ms or 0) > since_ms)


def _units(row: Row) -> str:
    return f"{row.value} units of {row.meter} of account {row.account}"


def _refused(identifier: str) -> OpsError:
    return OpsError(
        f"{identifier[:SHORT]}: the push log's fold refused the order; something came in between: billing stripe "
        "parked shows how things stand now"
    )
