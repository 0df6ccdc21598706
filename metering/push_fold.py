"""What the push log means: the fold of its records, one by one.

The log's order is the lock. Several workers may append at once, late or twice: the fold accepts a row only if it
starts where its bucket's claim stands and nothing unresolved has its bucket or its customer, meter and minute.
Whatever else is in the log lost a race and changes nothing.

This is the reference; the scripts in `ledger/scripts/fold_*.lua` are tested against it.
"""

from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from metering.outcome import ParkReason
from metering.push_log import (
    Foreign,
    ParkOrder,
    Prepared,
    PushRecord,
    ReissueOrder,
    RetryOrder,
    Settled,
    StripeIdentity,
    WriteOffOrder,
)
from metering.row import Row

QUIET_MS = 3 * 3600 * 1000  # until Stripe's summaries can be believed about a row; they lag by up to 2 hours


class InFlight(BaseModel):
    """A row that was accepted by the log and not settled yet. `prepared_ms` is when its age began."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    row: Row
    prepared_ms: int


class Parked(InFlight):
    """A row that waits for a person, since `parked_ms`."""

    parked_ms: int
    reason: ParkReason
    detail: str


class ShardDivergedError(Exception):
    """More was claimed from a bucket than was ever counted: the two logs do not belong together. Stops the shard."""


@dataclass(slots=True)
class PushState:
    """What the push log of one shard says so far.

    Buckets before the hour `closed_before` are closed (`metering/retention.py`): the usage log has lost some of what
    was counted in them. `cut` says that the push log has lost its own beginning too. `ended` are the identifiers of
    rows that ended otherwise than by delivery.
    """

    counted: dict[str, int] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    carried: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    identity: StripeIdentity | None = None
    closed_before: int = 0
    cut: bool = False

    def held(self) -> set[str]:
        """Buckets, and customer-meter-minutes, with an unresolved row."""
        rows = [entry.row for entry in (*self.in_flight.values(), *self.parked.values())]
        return {key for row in rows for key in (row.bucket_key, row.minute_key)}


def fold(state: PushState, record: PushRecord, append_ms: int) -> None:
    """Applies the next record of the log to the state.

    The caller folds a `Prepared` only once its own count of the usage log has reached `usage_fence`.

    Raises:
        ShardDivergedError: an accepted row claims more than was counted.
    """
    match record:
        case Prepared():
            _prepare(state, record, append_ms)
        case Settled():
            _settle(state, record, append_ms)
        case RetryOrder():
            _retry(state, record, append_ms)
        case ReissueOrder():
            _reissue(state, record, append_ms)
        case WriteOffOrder():
            _write_off(state, record)
        case ParkOrder():
            _park(state, record, append_ms)
        case Foreign():
            pass


def _prepare(state: PushState, record: Prepared, append_ms: int) -> None:
    state.identity = record.identity
    held = state.held()
    for row in record.rows:
        if row.start != _expected_start(state, row) or {row.bucket_key, row.minute_key} & held:
            continue
        if row.end > state.counted.get(row.bucket_key, 0) and row.hour >= state.closed_before:
            raise ShardDivergedError(f"{row.bucket_key}: a row claims up to {row.end}, more than was counted")
        held |= {row.bucket_key, row.minute_key}
        state.claimed[row.bucket_key] = row.end
        state.in_flight[row.identifier(record.identity.namespace)] = InFlight(
            row=row, prepared_ms=record.since_ms(append_ms)
        )


def _expected_start(state: PushState, row: Row) -> int:
    """Where the bucket's claim stands. What a cut push log does not tell of a closed bucket is taken from the row."""
    unknown = row.start if state.cut and row.hour < state.closed_before else 0
    return state.claimed.get(row.bucket_key, unknown)


def _settle(state: PushState, record: Settled, append_ms: int) -> None:
    for settlement in record.settlements:
        entry = state.in_flight.pop(settlement.identifier, None)
        if entry is None:
            continue
        if settlement.parked is None:
            _accept(state, entry.row, entry.row.value)
        else:
            state.parked[settlement.identifier] = Parked(
                row=entry.row,
                prepared_ms=entry.prepared_ms,
                parked_ms=append_ms,
                reason=settlement.parked,
                detail=settlement.detail,
            )


def _accept(state: PushState, row: Row, units: int) -> None:
    state.accepted[row.minute_key] = state.accepted.get(row.minute_key, 0) + units
    if row.carried:
        state.carried[row.carried_key] = state.carried.get(row.carried_key, 0) + units


def _retry(state: PushState, order: RetryOrder, append_ms: int) -> None:
    entry = state.parked.get(order.identifier)
    if entry is not None and may_retry(entry, append_ms):
        del state.parked[order.identifier]
        state.in_flight[order.identifier] = InFlight(row=entry.row, prepared_ms=entry.prepared_ms)


def _write_off(state: PushState, order: WriteOffOrder) -> None:
    if state.parked.pop(order.identifier, None) is not None:
        state.ended.add(order.identifier)


def _reissue(state: PushState, order: ReissueOrder, append_ms: int) -> None:
    old = state.parked.get(order.old)
    if old is None or not may_replace(order, old, append_ms):
        return
    if order.row.minute_key != old.row.minute_key and order.row.minute_key in state.held():
        return
    del state.parked[order.old]
    name = order.row.identifier(order.namespace)
    state.ended = (state.ended | {order.old}) - {name}
    state.in_flight[name] = InFlight(row=order.row, prepared_ms=order.since_ms(append_ms))


def _park(state: PushState, order: ParkOrder, append_ms: int) -> None:
    row, name = order.row, order.row.identifier(order.namespace)
    if not may_park(order, append_ms) or name in state.ended or {row.bucket_key, row.minute_key} & state.held():
        return
    if state.accepted.get(row.minute_key, 0) < row.value:
        return
    _accept(state, row, -row.value)
    state.parked[name] = Parked(
        row=row, prepared_ms=order.prepared_ms, parked_ms=append_ms, reason=ParkReason.LOST, detail=order.why
    )


def may_replace(order: ReissueOrder, old: Parked, append_ms: int) -> bool:
    """Whether a reissue is one: the same units under another body, a quiet time after the parking that was judged."""
    if order.parked_ms != old.parked_ms or append_ms - old.parked_ms < QUIET_MS:
        return False
    return order.row != old.row and order.row.units == old.row.units


def may_retry(entry: Parked, append_ms: int) -> bool:
    """Whether a summary can be believed about the row: until it was parked as lost, others had its minute."""
    return entry.reason is not ParkReason.LOST or append_ms - entry.parked_ms >= QUIET_MS


def may_park(order: ParkOrder, append_ms: int) -> bool:
    """Whether summaries had the time to show the row."""
    return append_ms - order.delivered_ms >= QUIET_MS
