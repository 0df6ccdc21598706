"""The vocabulary of a row's fate at Stripe: every call ends in exactly one of these."""

from dataclasses import dataclass
from enum import StrEnum


class ParkReason(StrEnum):
    """Why a row waits for a person; part of the push log, so names never change."""

    UNKNOWN_CUSTOMER = "unknown_customer"
    NO_METER = "no_meter"
    ARCHIVED_METER = "archived_meter"
    """Both stand in logs of before: such rows wait in flight now."""
    INVALID_VALUE = "invalid_value"
    REFUSED = "refused"
    MISSED_CUTOFF = "missed_cutoff"
    UNDECIDABLE = "undecidable"
    LOST = "lost"
    """Stripe had taken it, and its summary lacks it."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Stripe holds the row: it accepted it now, or knows its identifier already."""


@dataclass(frozen=True, slots=True)
class RetryLater:
    """Stripe did not take the row and says to come back. `delay` is in seconds, None where Stripe names none."""

    reason: str
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether Stripe took the row: the same bytes are sent again."""

    reason: str


@dataclass(frozen=True, slots=True)
class NoMeter:
    """Stripe did not take the row because it has no active meter for it. Nothing is wrong with the row: it waits."""

    detail: str


@dataclass(frozen=True, slots=True)
class Park:
    """Stripe will never take this row as it is."""

    reason: ParkReason
    detail: str


@dataclass(frozen=True, slots=True)
class StopWorker:
    """The worker may not talk to Stripe at all (key, permission): stop and page."""

    reason: str


Outcome = Delivered | RetryLater | Ambiguous | NoMeter | Park | StopWorker
