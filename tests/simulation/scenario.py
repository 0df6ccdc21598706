"""What a seed's storm is made of, where it is not left to the seed: a storm that asks for one guard in particular."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scenario:
    """None leaves it to the seed.

    `violence` scales the odds of every call's faults, 0 to 1; `late_appends` is the share of appends to Kafka that
    land after their producer has given up; `stripe_leg` is how many seconds a request to Stripe takes, and as many the
    reply; `disasters` are the only ones there are; `backlog`: most events belong to a period that can't be billed any
    more, so that their rows share a minute; `desks` is how many people look after rows.
    """

    violence: float | None = None
    late_appends: float | None = None
    stripe_leg: float | None = None
    disasters: tuple[str, ...] | None = None
    backlog: bool | None = None
    desks: int | None = None


ANY = Scenario()
