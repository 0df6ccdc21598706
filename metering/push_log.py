"""The push log: what was about to be sent to Stripe, and what came of it; and the fold that gives it its meaning.

The log's order is the lock. Several workers may append at once, late or twice: the fold accepts a row only if it
starts where its bucket's claim stands and nothing unresolved has its bucket or its customer, meter and minute.
Whatever else is in the log lost a race and changes nothing.
"""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from metering.outcome import ParkReason
from metering.row import Row

MAX_ROWS = 100  # rows of one prepared record; also Stripe's limit for one stream request


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class StripeIdentity(_Record):
    """Whom the rows are for: a log belongs to one namespace, one Stripe account and one mode."""

    namespace: str
    account: str
    livemode: bool


class Prepared(_Record):
    """Rows about to be sent. `usage_fence` is the usage log's fence at planning: no fold may be behind it."""

    kind: Literal["prepared"] = "prepared"
    identity: StripeIdentity
    usage_fence: Annotated[int, Field(ge=0)]
    rows: Annotated[tuple[Row, ...], Field(min_length=1, max_length=MAX_ROWS)]


class Settlement(_Record):
    """What came of one row: delivered, or parked for a reason."""

    identifier: str
    parked: ParkReason | None = None
    detail: str = ""


class Settled(_Record):
    """What came of rows that were in flight."""

    kind: Literal["settled"] = "settled"
    settlements: Annotated[tuple[Settlement, ...], Field(min_length=1)]


PushRecord = Annotated[Prepared | Settled, Field(discriminator="kind")]
_record = TypeAdapter[Prepared | Settled](PushRecord)


def decode(value: bytes) -> Prepared | Settled:
    """A record of the push log; raises pydantic's ValidationError for anything else."""
    return _record.validate_json(value)


def encode(record: Prepared | Settled) -> bytes:
    """The record's value in Kafka."""
    return record.model_dump_json(exclude_defaults=False).encode()


class InFlight(_Record):
    """A row that was accepted by the log and not settled yet. `prepared_ms` is its record's append time."""

    row: Row
    prepared_ms: int


class Parked(_Record):
    """A row that waits for a person."""

    row: Row
    prepared_ms: int
    parked_ms: int
    reason: ParkReason
    detail: str


class ShardDivergedError(Exception):
    """More was claimed from a bucket than was ever counted: the two logs do not belong together. Stops the shard."""


@dataclass(slots=True)
class PushState:
    """What the push log of one shard says so far: the reference that the Redis scripts are tested against."""

    counted: dict[str, int] = field(default_factory=dict)
    claimed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    identity: StripeIdentity | None = None

    def held(self) -> set[str]:
        """Buckets, and customer-meter-minutes, with an unresolved row."""
        rows = [entry.row for entry in self.in_flight.values()] + [entry.row for entry in self.parked.values()]
        return {key for row in rows for key in (row.bucket_key, row.minute_key)}


def fold(state: PushState, record: Prepared | Settled, append_ms: int) -> None:
    """Applies the next record of the log to the state.

    The caller folds a `Prepared` only once its own count of the usage log has reached `usage_fence`.

    Raises:
        ShardDivergedError: an accepted row claims more than was counted.
    """
    if isinstance(record, Prepared):
        _fold_prepared(state, record, append_ms)
    else:
        _fold_settled(state, record, append_ms)


def _fold_prepared(state: PushState, record: Prepared, append_ms: int) -> None:
    state.identity = record.identity
    held = state.held()
    for row in record.rows:
        if row.start != state.claimed.get(row.bucket_key, 0) or {row.bucket_key, row.minute_key} & held:
            continue
        if row.end > state.counted.get(row.bucket_key, 0):
            raise ShardDivergedError(f"{row.bucket_key}: a row claims up to {row.end}, more than was counted")
        held |= {row.bucket_key, row.minute_key}
        state.claimed[row.bucket_key] = row.end
        state.in_flight[row.identifier(record.identity.namespace)] = InFlight(row=row, prepared_ms=append_ms)


def _fold_settled(state: PushState, record: Settled, append_ms: int) -> None:
    for settlement in record.settlements:
        entry = state.in_flight.pop(settlement.identifier, None)
        if entry is None:
            continue
        if settlement.parked is None:
            key = entry.row.minute_key
            state.accepted[key] = state.accepted.get(key, 0) + entry.row.value
        else:
            state.parked[settlement.identifier] = Parked(
                row=entry.row,
                prepared_ms=entry.prepared_ms,
                parked_ms=append_ms,
                reason=settlement.parked,
                detail=settlement.detail,
            )
