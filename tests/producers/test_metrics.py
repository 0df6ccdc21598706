"""Emitters that share a registry, one after the other or at the same time."""

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from telephony_billing_producers import UsageEmitter

Start = Callable[..., UsageEmitter]


def test_an_emitter_is_made_anew_on_the_same_registry(start_emitter: Start, registry: CollectorRegistry) -> None:
    """After a reload: counters go on, gauges tell of the living one."""
    first = start_emitter()
    first.emit("sms.send", "acme", source="/sms")
    first.close()
    assert registry.get_sample_value("usage_emitter_spool_events") == 0

    start_emitter().emit("sms.send", "acme", source="/sms")

    assert registry.get_sample_value("usage_emitter_events_emitted_total", {"meter": "sms.send"}) == 2
    assert registry.get_sample_value("usage_emitter_spool_events") == 2


def test_a_start_that_failed_can_be_repeated(start_emitter: Start, registry: CollectorRegistry) -> None:
    """After the cause is mended."""
    with pytest.raises(ValueError, match="no_such"):
        start_emitter(kafka_options={"no_such": 1})

    start_emitter()

    assert registry.get_sample_value("usage_emitter_connected") == 0


def test_two_emitters_are_one_sum(start_emitter: Start, registry: CollectorRegistry) -> None:
    """Each has a slot; the registry tells of both."""
    for emitter in (start_emitter(), start_emitter()):
        emitter.emit("sms.send", "acme", source="/sms")

    assert registry.get_sample_value("usage_emitter_spool_events") == 2
    assert registry.get_sample_value("usage_emitter_spool_directory_bytes") == registry.get_sample_value(
        "usage_emitter_spool_bytes"
    )
