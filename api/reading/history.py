"""Reads an account's units in several ranges of time, and turns them into the meters of an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import LRUCache
from pydantic import BaseModel, ConfigDict, Field

from api.reading.current_period import KEPT_QUERIES
from api.reading.freshness import ATTEMPTS
from api.reading.ranges import Slots, SlotUnits, slot_units
from api.reading.shards import shard_of
from ledger.history import read_history
from ledger.reading import AccountChangedError, NotReadyError, parse_account
from ledger.shard import Ledger
from metering.account import Account
from metering.meters import CATALOGUE
from metering.period import Period
from metering.rfc3339 import from_unix

Drawn = TypeVar("Drawn")


class PeriodBounds(BaseModel):
    """A billing period: from its start to just before its end, RFC 3339 in UTC."""

    start: str = Field(json_schema_extra={"format": "date-time"})
    end: str = Field(json_schema_extra={"format": "date-time"})

    @classmethod
    def of(cls, period: Period) -> "PeriodBounds":
        """Returns the bounds of a period."""
        return cls(start=from_unix(period.start), end=from_unix(period.end))


class MeterHistory(BaseModel):
    """One meter's units in a stretch of time, and what of them Stripe knows; null while that is not known."""

    model_config = ConfigDict(serialize_by_alias=True, json_schema_serialization_defaults_required=True)

    meter: str
    display_name: str = Field(serialization_alias="displayName")
    total: int = Field(description="what counts for the bill")
    before_subscription: int = Field(
        serialization_alias="beforeSubscription", description="used before the subscription began: never billed"
    )
    accepted: int | None = Field(description="what Stripe has accepted under a time in this stretch")
    carried_forward: int | None = Field(
        serialization_alias="carriedForward", description="how much of `accepted` was used in an earlier period"
    )


@dataclass(frozen=True, slots=True)
class Reading(Generic[Drawn]):
    """The result of `draw` for the account's record, and the units of its slots. `as_of_ms` is in Unix milliseconds."""

    drawn: Drawn
    units: list[SlotUnits]
    as_of_ms: int


class HistoryReader:
    """Reads slots, usually in one round trip, as accounts seldom change."""

    def __init__(self, ledger: Ledger, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._now = now
        self._records: LRUCache[str, bytes] = LRUCache(KEPT_QUERIES)

    async def read(self, account: str, draw: Callable[[Account, int], tuple[Drawn, Slots]]) -> Reading[Drawn]:
        """Returns the units of the slots that `draw` computes from the account and the time (Unix seconds).

        Raises:
            NotReadyError: the shard is being folded, or the account's record changed at every attempt.
        """
        now, shard = int(self._now()), shard_of(self._ledger, account)
        record = self._records.get(account, b"")
        for _ in range(ATTEMPTS):
            drawn, slots = draw(parse_account(record), now)
            try:
                history = await read_history(shard, account, record, slots.spans, slots.cuts)
            except AccountChangedError as change:
                record = change.record
            else:
                self._records[account] = record
                return Reading(drawn, slot_units(history), history.as_of_ms)
        raise NotReadyError


def meters_of(units: SlotUnits) -> list[MeterHistory]:
    """Returns a slot's meters, in catalogue order."""
    return [
        MeterHistory(
            meter=meter.name,
            display_name=meter.display_name,
            total=units.total[place],
            before_subscription=units.before_subscription[place],
            accepted=None if units.accepted is None else units.accepted[place],
            carried_forward=None if units.carried is None else units.carried[place],
        )
        for place, meter in enumerate(CATALOGUE)
    ]
