"""The push log's records: what was about to be sent to Stripe, what came of it, and what a person ordered.

What they mean together is the fold's to say: `metering/push_fold.py`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from metering.outcome import ParkReason
from metering.row import Row

MAX_WORDS = 1000  # of who and why; it is read by people
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


class Order(_Record):
    """Something that a person, or the worker by a rule, wants done with a row. The fold obeys it only where it may."""

    who: Annotated[str, Field(min_length=1, max_length=MAX_WORDS)]
    why: Annotated[str, Field(min_length=1, max_length=MAX_WORDS)]


class RetryOrder(Order):
    """A parked row is sent again as it is: same body, same identifier, its age still counted from its first record."""

    kind: Literal["retry"] = "retry"
    identifier: str


class ReissueOrder(Order):
    """A parked row, `old`, is replaced by one for another customer or timestamp, under a new identifier.

    Whoever orders it has seen in Stripe's summary that the old row is not there, and says of which parking that was
    judged (`parked_ms`): a row that was retried and parked again since may have arrived.
    """

    kind: Literal["reissue"] = "reissue"
    old: str
    parked_ms: int
    namespace: str
    row: Row


class WriteOffOrder(Order):
    """A parked row is given up: its units stay claimed and are never billed."""

    kind: Literal["write_off"] = "write_off"
    identifier: str


class ParkOrder(Order):
    """A delivered row that Stripe's summary lacks counts as not accepted any more, and waits for a person.

    Delivered rows aren't kept, so the order carries the row, and when it was prepared and settled (Unix ms).
    """

    kind: Literal["park"] = "park"
    namespace: str
    row: Row
    prepared_ms: int
    delivered_ms: int


PushRecord = Prepared | Settled | RetryOrder | ReissueOrder | WriteOffOrder | ParkOrder
_record = TypeAdapter[PushRecord](Annotated[PushRecord, Field(discriminator="kind")])


def decode(value: bytes) -> PushRecord:
    """A record of the push log; raises pydantic's ValidationError for anything else."""
    return _record.validate_json(value)


def encode(record: PushRecord) -> bytes:
    """The record's value in Kafka."""
    return record.model_dump_json(exclude_defaults=False).encode()
