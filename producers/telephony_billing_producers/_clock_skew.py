"""Measures the difference between this machine's clock and the broker's, from the broker's acknowledgements.

The platform compares an event's `time` with the broker's append time, and rejects events more than five minutes ahead.
So a wrong clock turns acknowledged events into dead letters, and the producer would not notice.
"""

import logging

from ._metrics import EmitterMetrics

log = logging.getLogger(__name__)

TELL_SECONDS = 60.0
"""Seconds of skew that cause a warning: far below the five minutes at which events are lost, far above NTP's error."""


def skew_seconds(sent: float, acknowledged: float, appended: float) -> float:
    """Returns the seconds by which our clock is ahead of the broker's; negative: behind; 0: the two may agree.

    Args:
        sent: our clock when the record was handed to Kafka, Unix seconds.
        acknowledged: our clock when Kafka had acknowledged it, Unix seconds.
        appended: the broker's clock in between, Unix seconds.
    """
    return max(sent - appended, 0.0) or min(acknowledged - appended, 0.0)


class ClockWatch:
    """Measures the skew at every acknowledgement, and warns once while the clocks differ."""

    def __init__(self, metrics: EmitterMetrics) -> None:
        self._metrics = metrics
        self._told = False

    def note(self, sent: float, acknowledged: float, append_ms: int | None) -> None:
        """Takes one acknowledgement; `append_ms` is None or negative if the broker did not send it."""
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
