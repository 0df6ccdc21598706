"""A meter that Stripe does not have, or has archived, is everybody's trouble: its rows wait, and none is parked.

Somebody deactivates a meter for a minute, and every account's next row would wait for a person. So what Stripe refuses
for its meter stays in flight; of an absent meter one row is sent now and then, to see whether it is back; the rows of
all other meters go on.
"""

from dataclasses import dataclass

from runtime.clock import Clock

REST_SECONDS = 30.0  # between two rows that try
FORGOTTEN_SECONDS = 600.0  # nothing has tried it for so long: nothing waits for it


@dataclass(slots=True)
class _Absent:
    why: str
    until: float
    trying: str = ""


class MeterGate:
    """Which meters Stripe has, as far as its refusals tell."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._absent: dict[str, _Absent] = {}

    def refused(self, meter: str, why: str) -> None:
        """Stripe refuses a row for its meter."""
        self._absent[meter] = _Absent(why, self._clock.monotonic() + REST_SECONDS)

    def taken(self, meter: str) -> None:
        """Stripe has taken a row of it."""
        self._absent.pop(meter, None)

    def lets(self, meter: str, identifier: str) -> bool:
        """Whether a row may be sent; of an absent meter, whether it is the one that tries."""
        absent = self._absent.get(meter)
        if absent is None or absent.trying == identifier:
            return True
        if self._clock.monotonic() < absent.until:
            return False
        absent.trying, absent.until = identifier, self._clock.monotonic() + REST_SECONDS
        return True

    def is_absent(self, meter: str) -> bool:
        """Whether rows of the meter would only wait; once nothing has tried it for a while, a new one may."""
        absent = self._absent.get(meter)
        return absent is not None and self._clock.monotonic() < absent.until

    def sentence(self) -> str | None:
        """What a person must do; None while Stripe has all meters."""
        since = self._clock.monotonic() - FORGOTTEN_SECONDS
        self._absent = {meter: absent for meter, absent in self._absent.items() if absent.until > since}
        if not self._absent:
            return None
        named = "; ".join(f"{meter} ({absent.why})" for meter, absent in sorted(self._absent.items()))
        return f"Stripe refuses rows for their meter, and they wait: billing stripe setup, or reactivate it: {named}"
