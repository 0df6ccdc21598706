"""The fold of the push log in Redis, record by record: `metering/push_fold.py` says what each means.

Rows never change under their identifier, and the fence, read with them and checked again by the script, proves that
none came or went in between. So what is unresolved may be read first, and decided here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.answer import Answer, Verdict, read_answer
from ledger.pushes import accepted_key, read_entry, read_rows
from ledger.script import EXACT, FENCE, Script, load
from ledger.shard import Shard
from ledger.usage import mark_text
from metering.counting import Mark
from metering.meters import BY_NAME
from metering.outcome import ParkReason
from metering.push_fold import InFlight, Parked, may_park, may_replace, may_retry
from metering.push_log import (
    Foreign,
    ParkOrder,
    Prepared,
    PushRecord,
    ReissueOrder,
    RetryOrder,
    Settled,
    Settlement,
    WriteOffOrder,
)
from metering.row import Row
from metering.span import DAY_HOURS

_PREPARED = load("fold_prepared", (*FENCE, EXACT), log="pushes")
_SETTLED = load("fold_settled", FENCE, log="pushes")
_RETRY = load("fold_retry", FENCE, log="pushes")
_REISSUE = load("fold_reissue", FENCE, log="pushes")
_WRITE_OFF = load("fold_write_off", FENCE, log="pushes")
_PARK = load("fold_park", (*FENCE, EXACT), log="pushes")


@dataclass(frozen=True, slots=True)
class _Place:
    """A record's place in the log, and what goes with every script: `start` is where the shard must stand."""

    shard: Shard
    mark: Mark
    start: int

    async def run(self, script: Script, names: Sequence[str], args: Sequence[str | bytes | int]) -> Answer:
        """Runs a script that moves the fence past this record."""
        head: list[str | bytes | int] = [self.start, self.mark.offset + 1, mark_text(self.mark)]
        return read_answer(await self.shard.run(script, names, [*head, *args]))

    async def rows(self, key: str, identifiers: Sequence[str]) -> dict[str, bytes] | Answer:
        """Some unresolved rows, as they are when this record is next; or the answer if it isn't."""
        fence, found = await read_rows(self.shard, key, identifiers)
        if fence == self.start:
            return found
        if fence is None:
            return Answer(Verdict.EMPTY, None)
        return Answer(Verdict.STALE if fence > self.start else Verdict.GAP, fence)


async def fold_push(
    shard: Shard, record: PushRecord, offset: int, append_ms: int, crc: int = 0, start: int | None = None
) -> Answer:
    """Folds the record at `offset` if the shard stands there. The answer's value is how many rows it changed.

    `crc` is the record's, kept to recognise it by. `start` is where its reader stood before, and so the shard must, if
    not at `offset`: no reader is shown what lies between.
    """
    place = _Place(shard, Mark(offset, append_ms, crc), offset if start is None else start)
    match record:
        case Prepared():
            return await _fold_prepared(place, record)
        case Settled():
            return await _fold_settled(place, record)
        case RetryOrder():
            return await _fold_retry(place, record)
        case ReissueOrder():
            return await _fold_reissue(place, record)
        case WriteOffOrder():
            return await _fold_write_off(place, record)
        case ParkOrder():
            return await _fold_park(place, record)
        case Foreign():
            return await place.run(_SETTLED, _settled_keys(shard), [])


async def pass_over(shard: Shard, start: int, end: int) -> Answer:
    """Moves the fence over what no reader is shown: what tells of a transaction's end, and what was aborted."""
    return read_answer(await shard.run(_SETTLED, _settled_keys(shard), [start, end, mark_text(None)]))


def _settled_keys(shard: Shard) -> list[str]:
    return [shard.keys.in_flight, shard.keys.parked, shard.keys.held]


async def _fold_prepared(place: _Place, record: Prepared) -> Answer:
    keys = place.shard.keys
    names = [keys.due, keys.due_order, keys.in_flight, keys.held, keys.aside]
    args: list[str | bytes | int] = [record.usage_fence, record.identity.model_dump_json()]
    for row in record.rows:
        day, hour = divmod(row.hour, DAY_HOURS)
        names += (keys.hours(row.account, day), keys.closed_claims(row.account, day))
        args += (
            row.identifier(record.identity.namespace),
            row.bucket_key,
            row.hour,
            BY_NAME[row.meter].index * DAY_HOURS + hour,
            row.start,
            row.end,
            row.value,
            row.minute_key,
            InFlight(row=row, prepared_ms=record.since_ms(place.mark.append_ms)).model_dump_json(),
        )
    return await place.run(_PREPARED, names, args)


async def _fold_settled(place: _Place, record: Settled) -> Answer:
    keys = place.shard.keys
    found = await place.rows(keys.in_flight, [settlement.identifier for settlement in record.settlements])
    if isinstance(found, Answer):
        return found
    names, args = _settled_keys(place.shard), list[str | bytes | int]()
    for settlement in record.settlements:
        if settlement.identifier not in found:
            continue
        entry = read_entry(found[settlement.identifier])
        row = entry.row
        names.append(accepted_key(place.shard, row))
        args += (settlement.identifier, row.bucket_key, row.minute_key, row.value, _carried_field(row))
        args.append(_parked(entry, settlement, place.mark.append_ms))
    return await place.run(_SETTLED, names, args)


def _parked(entry: InFlight, settlement: Settlement, append_ms: int) -> str:
    if settlement.parked is None:
        return ""
    return Parked(
        row=entry.row,
        prepared_ms=entry.prepared_ms,
        parked_ms=append_ms,
        reason=settlement.parked,
        detail=settlement.detail,
    ).model_dump_json()


def _carried_field(row: Row) -> str:
    return f"c|{BY_NAME[row.meter].index}|{row.timestamp // 60}" if row.carried else ""


async def _read_parked(place: _Place, identifier: str) -> Parked | Answer | None:
    found = await place.rows(place.shard.keys.parked, [identifier])
    if isinstance(found, Answer):
        return found
    return Parked.model_validate_json(found[identifier]) if identifier in found else None


async def _fold_retry(place: _Place, order: RetryOrder) -> Answer:
    keys, entry = place.shard.keys, await _read_parked(place, order.identifier)
    if isinstance(entry, Answer):
        return entry
    allowed = entry is not None and may_retry(entry, place.mark.append_ms)
    again = InFlight(row=entry.row, prepared_ms=entry.prepared_ms).model_dump_json() if entry and allowed else ""
    return await place.run(_RETRY, [keys.in_flight, keys.parked], [order.identifier, again])


async def _fold_write_off(place: _Place, order: WriteOffOrder) -> Answer:
    keys, entry = place.shard.keys, await _read_parked(place, order.identifier)
    if isinstance(entry, Answer):
        return entry
    held = ("", "") if entry is None else (entry.row.bucket_key, entry.row.minute_key)
    return await place.run(_WRITE_OFF, [keys.parked, keys.held, keys.ended], [order.identifier, *held])


async def _fold_reissue(place: _Place, order: ReissueOrder) -> Answer:
    keys, entry = place.shard.keys, await _read_parked(place, order.old)
    if isinstance(entry, Answer):
        return entry
    row, append_ms = order.row, place.mark.append_ms
    allowed = entry is not None and may_replace(order, entry, append_ms)
    args: list[str | bytes | int] = [
        order.old if allowed else "",
        entry.row.minute_key if entry else "",
        row.identifier(order.namespace),
        row.bucket_key,
        row.minute_key,
        InFlight(row=row, prepared_ms=order.since_ms(append_ms)).model_dump_json(),
    ]
    return await place.run(_REISSUE, [keys.in_flight, keys.parked, keys.held, keys.ended], args)


async def _fold_park(place: _Place, order: ParkOrder) -> Answer:
    keys, row, append_ms = place.shard.keys, order.row, place.mark.append_ms
    entry = Parked(
        row=row, prepared_ms=order.prepared_ms, parked_ms=append_ms, reason=ParkReason.LOST, detail=order.why
    )
    args: list[str | bytes | int] = [
        row.identifier(order.namespace),
        row.bucket_key,
        row.minute_key,
        row.value,
        _carried_field(row),
        entry.model_dump_json() if may_park(order, append_ms) else "",
    ]
    return await place.run(_PARK, [keys.parked, keys.held, keys.ended, accepted_key(place.shard, row)], args)
