"""The reason why a process ended, from its log."""

import pytest

from local.stack.crash_reason import crash_reason

TRACEBACK = [
    "Traceback (most recent call last):",
    '  File "x.py", line 3, in main',
    "    open_it()",
    "redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:1",
]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], ""),
        (["", "  "], ""),
        (["only this"], "only this"),
        (
            ["aggregator: the topics are not as the platform counts on:", "  usage.events has 3 partitions", "bye"],
            "aggregator: the topics are not as the platform counts on: usage.events has 3 partitions",
        ),
        ([*TRACEBACK, "\x1b[?25h"], "redis.exceptions.ConnectionError: Error 111 connecting to 127.0.0.1:1"),
        ([*TRACEBACK, "2026-11-30 12:00:00,000 INFO    faust: stopped"], TRACEBACK[-1]),
        (
            [
                "2026-11-30 12:00:00,000 CRITICAL stripe_sync: Stripe refuses the key",
                "2026-11-30 12:00:01,000 WARNING aiokafka.consumer: Heartbeat failed",
            ],
            "2026-11-30 12:00:00,000 CRITICAL stripe_sync: Stripe refuses the key",
        ),
    ],
)
def test_the_reason_goes_before_the_last_line(lines: list[str], reason: str) -> None:
    """Later lines do not hide the process's message, a traceback or an error line."""
    assert crash_reason(lines) == reason
