"""Median, least and most of a few repetitions: single values of a noisy machine mean little."""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Spread(NamedTuple):
    """The spread of a value over the repetitions of a run."""

    median: float
    min: float
    max: float


def spread(values: Sequence[float]) -> Spread:
    """Returns the spread of at least one value."""
    return Spread(median(values), min(values), max(values))
