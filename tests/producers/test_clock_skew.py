"""Whether this machine's clock is the broker's: seen from acknowledgements, told once."""

import logging
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from telephony_billing_producers import EmitterSettings, UsageEmitter
from telephony_billing_producers._clock_skew import skew_seconds
from tests.producers.conftest import BOTH_CLIENTS, UsageTopic


@pytest.mark.parametrize(
    ("sent", "acknowledged", "appended", "skew"),
    [
        (100, 101, 100.5, 0),
        (100, 101, 100, 0),
        (100, 101, 101, 0),
        (460, 461, 100.5, 359.5),
        (100, 101, 401, -300),
        (100, 200, 150, 0),
    ],
)
def test_the_skew_is_what_the_way_can_not_explain(
    sent: float, acknowledged: float, appended: float, skew: float
) -> None:
    """The broker's clock read between two readings of ours."""
    assert skew_seconds(sent, acknowledged, appended) == skew


@given(st.floats(-1e4, 1e4), st.floats(0, 60), st.floats(0, 1).map(lambda part: round(part, 3)), st.floats(1e9, 2e9))
def test_the_skew_is_never_exaggerated(ahead: float, way: float, part: float, real: float) -> None:
    """It is at most the true difference, of its sign, and off by no more than the way took."""
    skew = skew_seconds(real + ahead, real + ahead + way, real + way * part)

    assert abs(skew) <= abs(ahead) + 1e-3
    assert skew * ahead >= 0
    assert abs(ahead - skew) <= way + 1e-3


@BOTH_CLIENTS
@pytest.mark.parametrize(("off", "says"), [(360.0, "360 s ahead of"), (-200.0, "200 s behind")])
def test_a_clock_that_is_off_is_told_once(
    log_append_topic: UsageTopic, tmp_path: Path, caplog: pytest.LogCaptureFixture, off: float, says: str, client: Any
) -> None:
    """With Kafka acknowledging all the time, nothing else would tell."""
    registry = CollectorRegistry()
    settings = EmitterSettings(
        bootstrap_servers=log_append_topic.bootstrap,
        topic_prefix=log_append_topic.prefix,
        spool_directory=tmp_path,
        client=client,
        connect_timeout_seconds=10,
    )
    with (
        caplog.at_level(logging.WARNING, logger="telephony_billing_producers"),
        UsageEmitter(settings, registry=registry, clock=lambda: time.time() + off) as emitter,
    ):
        for _ in range(3):
            emitter.emit("sms.send", "acme", source="/sms").result(20)

    (told,) = [each.getMessage() for each in caplog.records if "clock" in each.getMessage()]
    assert says[:3] in told
    assert says[-6:] in told
    assert registry.get_sample_value("usage_emitter_clock_skew_seconds") == pytest.approx(off, abs=20)


def test_a_clock_that_is_right_is_not_told(
    log_append_topic: UsageTopic, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor is one whose spool took a while."""
    registry = CollectorRegistry()
    settings = EmitterSettings(
        bootstrap_servers=log_append_topic.bootstrap,
        topic_prefix=log_append_topic.prefix,
        spool_directory=tmp_path,
        connect_timeout_seconds=10,
    )
    with UsageEmitter(settings, registry=registry) as emitter:
        emitter.emit("sms.send", "acme", source="/sms").result(20)

    assert "clock" not in caplog.text
    assert abs(registry.get_sample_value("usage_emitter_clock_skew_seconds") or 0) < 60
