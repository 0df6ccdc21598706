"""Collects refused stream events by meter, code and window, until an error report contains them."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from local.stripe.acceptance import Reason
from local.stripe.store import StripeStore

SAMPLES = 5
"""Refused events that a report names per code. Stripe documents that there are samples, but not their number."""

# Stripe's codes for reports; there is none for a duplicate.
_CODES = {
    Reason.NO_METER: "no_meter",
    Reason.ARCHIVED_METER: "archived_meter",
    Reason.NO_CUSTOMER: "meter_event_no_customer_defined",
    Reason.UNKNOWN_CUSTOMER: "meter_event_customer_not_found",
    Reason.NO_VALUE: "meter_event_invalid_value",
    Reason.INVALID_VALUE: "meter_event_invalid_value",
    Reason.TOO_OLD: "timestamp_too_far_in_past",
    Reason.IN_FUTURE: "timestamp_in_future",
}

Sample = tuple[str, str]
"""Identifier, message."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused event; `meter` is the meter's id, empty if there is none."""

    meter: str
    reason: Reason
    identifier: str
    message: str


@dataclass(slots=True)
class RefusalTally:
    """The number of refused events of one code, and the first few of them."""

    errors: int = 0
    samples: list[Sample] = field(default_factory=list)

    def add(self, errors: int, samples: Iterable[Sample]) -> None:
        """Adds refused events; only the first samples are kept."""
        self.errors += errors
        self.samples = [*self.samples, *samples][:SAMPLES]


@dataclass(frozen=True, slots=True)
class RefusalWindow:
    """The contents of one report; `opened` and `closes` are Unix seconds."""

    livemode: bool
    meter: str
    opened: float
    closes: float
    by_code: dict[str, RefusalTally]


class Refusals:
    """The refusals that no report contains yet."""

    def __init__(self, store: StripeStore) -> None:
        self._sql = store.connection

    def note(self, refused: Iterable[Refusal], *, livemode: bool, now: float, window: float) -> None:
        """Adds refusals to the windows that contain `now` (Unix seconds)."""
        tallies: dict[tuple[str, str], RefusalTally] = defaultdict(RefusalTally)
        for refusal in refused:
            if refusal.reason in _CODES:
                sample = (refusal.identifier, refusal.message)
                tallies[refusal.meter, _CODES[refusal.reason]].add(1, [sample])
        opened = now // window * window
        for (meter, code), tally in tallies.items():
            self._add((livemode, meter, opened, opened + window, code), tally)

    def waiting(self) -> bool:
        """Returns whether any refusal waits for a report."""
        return self._sql.execute("SELECT 1 FROM refusals LIMIT 1").fetchone() is not None

    def closed(self, now: float) -> list[RefusalWindow]:
        """Removes the windows that are over, and returns them."""
        rows = self._sql.execute(
            "DELETE FROM refusals WHERE closes <= ? RETURNING livemode, meter, opened, closes, code, errors, samples",
            (now,),
        ).fetchall()
        windows: dict[tuple[bool, str, float], RefusalWindow] = {}
        for livemode, meter, opened, closes, code, errors, samples in sorted(rows):
            key = (bool(livemode), meter, opened)
            window = windows.setdefault(key, RefusalWindow(*key, closes, {}))
            window.by_code[code] = RefusalTally(errors, [tuple(sample) for sample in json.loads(samples)])
        return list(windows.values())

    def _add(self, key: tuple[bool, str, float, float, str], tally: RefusalTally) -> None:
        query = "SELECT errors, samples FROM refusals WHERE livemode = ? AND meter = ? AND opened = ? AND code = ?"
        livemode, meter, opened, _, code = key
        row = self._sql.execute(query, (livemode, meter, opened, code)).fetchone()
        if row is not None:
            earlier = RefusalTally(row[0], [tuple(sample) for sample in json.loads(row[1])])
            earlier.add(tally.errors, tally.samples)
            tally = earlier
        self._sql.execute(
            "INSERT OR REPLACE INTO refusals (livemode, meter, opened, closes, code, errors, samples)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*key, tally.errors, json.dumps(tally.samples)),
        )
