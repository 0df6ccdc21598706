"""The catalogue: which meters exist, in which order they are shown, and since when each counts.

Adding a meter is one line in `CATALOGUE`: the next free `index` and, in `counts_since_ms`, the append
time from which its events count. Records appended earlier stay rejected as `unknown_meter`, so that a
refold of the log gives the same result as the first fold did.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meter:
    """One billable kind of action.

    `index` is part of every stored counter's field name: it never changes and is never reused.
    `counts_since_ms` is an append time in Unix milliseconds.
    """

    index: int
    name: str
    display_name: str
    counts_since_ms: int = 0


CATALOGUE: tuple[Meter, ...] = (
    Meter(0, "sms.send", "SMS Sent"),
    Meter(1, "sms.receive", "SMS Received"),
    Meter(2, "voice.outbound", "Outbound Calls"),
    Meter(3, "voice.inbound", "Inbound Calls"),
    Meter(4, "voice.ai", "AI-Powered Calls"),
    Meter(5, "did.monthly", "Monthly DID Fee"),
)

BY_NAME: dict[str, Meter] = {meter.name: meter for meter in CATALOGUE}
BY_INDEX: dict[int, Meter] = {meter.index: meter for meter in CATALOGUE}
