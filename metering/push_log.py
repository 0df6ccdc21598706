"""The push log's records: what was about to be sent to Stripe, what came of it, and what a person ordered.

What they mean together is the fold's to say: `metering/push_fold.py`.
"""

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

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


class _Planned(_Record):
    """A record that sets rows off for Stripe. `planned_ms` is the planner's own clock (Unix ms)."""

    planned_ms: int | None = None

    def since_ms(self, append_ms: int) -> int:
        """From when the rows' age is counted: the earlier of the planner's clock and the broker's.

        Too old is harmless, since Stripe's summary is asked then; too young is sent again when Stripe has forgotten it.
        """
        return append_ms if self.planned_ms is None else min(append_ms, self.planned_ms)


class Prepared(_Planned):
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


class ReissueOrder(Order, _Planned):
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


class Foreign(_Record):
    """What somebody else has written into the log: it claims nothing, settles nothing and is passed over."""


_OwnRecord = Prepared | Settled | RetryOrder | ReissueOrder | WriteOffOrder | ParkOrder
PushRecord = _OwnRecord | Foreign
_own = TypeAdapter[_OwnRecord](Annotated[_OwnRecord, Field(discriminator="kind")])


def decode(value: bytes) -> PushRecord:
    """A record of the push log.

    Every version has written objects with a `kind`. What is none is foreign; what is one and can't be read is a newer
    version's, and may have claimed units.

    Raises:
        ValidationError: it is of a kind, or has a field, that this version does not know.
    """
    try:
        return _own.validate_json(value)
    except ValidationError:
        if _has_kind(value):
            raise
        return Foreign()


def _has_kind(value: bytes) -> bool:
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "kind" in found


def encode(record: PushRecord) -> bytes:
    """The record's value in Kafka."""
    return record.model_dump_json(exclude_defaults=False).encode()
