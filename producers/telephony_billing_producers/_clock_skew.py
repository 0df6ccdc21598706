"""How far this machine's clock is from the broker's, by what the broker says when it acknowledges.

The platform compares an event's `time` with the broker's append time, and rejects what is more than five minutes ahead:
a clock that runs away turns acknowledged events into dead letters, of which the producer would not hear.
"""

import logging

from ._metrics import EmitterMetrics

log = logging.getLogger(__name__)

TELL_SECONDS = 60.0
"""From here on a person is told: far from the five minutes at which events are lost, far from what NTP leaves."""


def skew_seconds(sent: float, acknowledged: float, appended: float) -> float:
    """How far our clock is ahead of the broker's; negative when it is behind, 0 when the two may agree.

    Args:
        sent: our clock when the record was handed to Kafka, Unix seconds.
        acknowledged: our clock when Kafka had acknowledged it.
        appended: the broker's clock in between.
    """
    return max(sent - appended, 0.0) or min(acknowledged - appended, 0.0)


class ClockWatch:
    """Notes the skew of each acknowledgement, and warns once while the clocks differ."""

    def __init__(self, metrics: EmitterMetrics) -> None:
        self._metrics = metrics
        self._told = False

    def note(self, sent: float, acknowledged: float, append_ms: int | None) -> None:
        """One acknowledgement; `append_ms` is None or negative where the broker didn't say."""
        if append_ms is None or append_ms < 0:
            return
        skew = skew_seconds(sent, acknowledged, append_ms / 1000)
        self._metrics.clock_skew.set(skew)
        if abs(skew) <= TELL_SECONDS:
            self._told = False
        elif not self._told:
            self._told = True
            where = "ahead of" if skew > 0 else "behind"
            log.warning(
                "this machine's clock is %.0f s %s Kafka's: set it (NTP). Events more than 5 minutes ahead are "
                "acknowledged and then rejected by the platform",
                abs(skew),
                where,
            )
