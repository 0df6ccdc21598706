"""Median, least and most of a few repetitions: what a noisy machine allows to be said."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """Of one figure over a run's repetitions."""

    median: float
    min: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(median(values), min(values), max(values))
