"""What a seed's storm is made of, where it is not left to the seed: a storm that asks for one guard in particular."""

from dataclasses import dataclass
from enum import StrEnum

HAZARD_SHARE = 0.25  # of seeds that have one hazard or the other


class Hazard(StrEnum):
    """A trouble that some seeds have beside their storm. Each draws from a stream of its own."""

    REDIS_CLOCK = "redis_clock"
    """Redis' clock jumps ahead for a moment: whatever has a time to live is gone."""
    EVICTION = "eviction"
    """Redis is told to evict, or a server that does takes over: some keys are gone, and `ready` may stay."""
    LOST_USAGE = "lost_usage"
    """A partition of the usage log loses its acknowledged end, and grows again."""
    LOST_PUSHES = "lost_pushes"
    """The same of the push log."""
    HELD_OFFSETS = "held_offsets"
    """Somebody's transaction on the usage log stays open, for hours too: what is behind it can't be read yet."""
    REVOKED_KEYS = "revoked_keys"
    """Keys are revoked, compaction removes the tombstones, and Redis goes back to before them."""
    CHANGING_FACTS = "changing_facts"
    """Accounts' anchors and subscription starts change, and customers come back."""
    AGGREGATOR_CLOCKS = "aggregator_clocks"
    """An aggregator's clock is hours or weeks off for a while."""
    WORKER_CLOCKS = "worker_clocks"
    """The same of a Stripe worker's."""
    BROKER_CLOCKS = "broker_clocks"
    """A broker stamps some records hours or weeks ahead."""
    HOSTILE_RECORDS = "hostile_records"
    """Records that can't be read, or that lie about themselves, in every log that is counted."""


AWAITS: dict[Hazard, str] = {
    Hazard.EVICTION: "readers that look for evicted keys themselves, and idle logs that go on after a rebuild",
    Hazard.AGGREGATOR_CLOCKS: "an aggregator that compares its clock with others before it says as of when",
    Hazard.WORKER_CLOCKS: "rows that are not parked as undecidable because a clock was off",
    Hazard.BROKER_CLOCKS: "a person in the simulated world who passes by what is stamped ahead",
}
"""Hazards that the product, or the world around it, is not made for yet, and what they wait for.

No seed draws them; a scenario may ask.
"""


@dataclass(frozen=True, slots=True)
class Scenario:
    """None leaves it to the seed.

    `violence` scales the odds of every call's faults, 0 to 1; `late_appends` is the share of appends to Kafka that
    land after their producer has given up; `stripe_leg` is how many seconds a request to Stripe takes, and as many the
    reply; `disasters` are the only ones there are; `backlog`: most events belong to a period that can't be billed any
    more, so that their rows share a minute; `desks` is how many people look after rows;
    `hazards` are the troubles beside the storm.
    """

    violence: float | None = None
    late_appends: float | None = None
    stripe_leg: float | None = None
    disasters: tuple[str, ...] | None = None
    backlog: bool | None = None
    desks: int | None = None
    hazards: frozenset[Hazard] | None = None


ANY = Scenario()
