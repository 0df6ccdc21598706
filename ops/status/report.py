"""What is known of one shard at one moment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ledger.state import Conservation, Log
from metering.outage import Drain
from metering.stop import Stop
from metering.troubles.finding import Finding
from ops.logs.open_transactions import OpenTransaction


class ShardPhase(StrEnum):
    """How a shard stands with its readers."""

    READY = "ready"
    FOLDING = "folding"
    CLEARING = "clearing"
    EMPTY = "empty"
    """Nobody has begun to fold it."""


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where a fold stands in its log.

    `fence` None: it has not begun. `end` is what is acknowledged, `stable` how far that can be read, where an open
    transaction holds the rest back; neither is known while Kafka is away. `waiting_ms`: the next record's append time.
    """

    fence: int | None
    earliest: int = 0
    end: int | None = None
    waiting_ms: int | None = None
    stable: int | None = None

    @property
    def lag(self) -> int:
        """Records (offsets) that wait to be folded; 0 while nobody knows."""
        return 0 if self.end is None else max(0, self.end - (self.earliest if self.fence is None else self.fence))

    @property
    def is_read(self) -> bool:
        """Whether all is folded that can be read."""
        end = self.end if self.stable is None else self.stable
        return self.fence is not None and end is not None and self.fence >= end


@dataclass(frozen=True, slots=True)
class ShardReport:
    """One shard at one moment; times are Unix milliseconds, None for never.

    Attributes:
        shard: its number.
        phase: how it stands with its readers.
        now_ms: the moment.
        as_of_ms: up to when it is known to have been counted completely.
        clearing_ms: when the clearing began that has not ended.
        stalled: not ready, and no fold of it has got on while it was watched.
        stops: its logs that can't be folded on.
        late: offsets that were counted before they were ordered to be passed by (`order_log.late_offsets`).
        drain: up to where its rejects drain, by whose order.
        usage: the usage log.
        pushes: the push log.
        push_ready: whether what Stripe has accepted is known.
        push_as_of_ms: up to when the push log is known to have been folded completely.
        records: of the usage log, by fate.
        due: buckets with units that no row has claimed, and whose account can be billed.
        no_customer: such buckets of accounts without a Stripe customer; `without_customer` are those that are set, and
            `never_set` those that nobody has set.
        never_billed: such buckets from before their subscription, or closed.
        closed_before: the hour before which buckets are closed, because a log's head was gone; 0 for none.
        in_flight: rows on their way to Stripe; `in_flight_ms` is when the oldest was prepared.
        parked: rows that wait for a person, by reason.
        held: open transactions that hold its logs back.
        added: it is a partition that was added to the usage log: no account lives there, all usage is re-routed.
        notices: what the services have to say of it.
        refuses: what may make its Redis server refuse writes; empty for nothing.
    """

    shard: int
    phase: ShardPhase
    now_ms: int
    as_of_ms: int | None
    usage: LogPlace
    pushes: LogPlace
    records: Conservation
    push_ready: bool = False
    push_as_of_ms: int | None = None
    clearing_ms: int | None = None
    stalled: bool = False
    stops: Mapping[Log, Stop] = field(default_factory=dict)
    late: int = 0
    drain: Drain | None = None
    due: int = 0
    no_customer: int = 0
    without_customer: Sequence[str] = ()
    never_set: Sequence[str] = ()
    never_billed: int = 0
    closed_before: int = 0
    in_flight: int = 0
    in_flight_ms: int | None = None
    parked: Mapping[str, int] | None = None
    held: Sequence[OpenTransaction] = ()
    added: bool = False
    notices: Sequence[Finding] = ()
    refuses: str = ""

    @property
    def lag_seconds(self) -> float:
        """How long the oldest record that is not counted has waited."""
        return self.age(self.usage.waiting_ms) if self.usage.lag else 0.0

    def age(self, then_ms: int | None) -> float:
        """Seconds since a moment; 0 for none."""
        return 0.0 if then_ms is None else max(0.0, (self.now_ms - then_ms) / 1000)
