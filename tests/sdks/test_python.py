"""Events as CloudEvents' SDK for Python writes them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import CloudEvent as OldCloudEvent
from cloudevents.v1.kafka import to_binary, to_structured

from tests.metering.events import NOON
from tests.sdks.brought import SdkRecord
from tests.sdks.expected import EXPECTED, counted

ATTRIBUTES = {"id": "call-1", "source": "/voice/eu-1", "type": "voice.outbound", "subject": "acme"}


def event(data: Any, **more: Any) -> CloudEvent:
    """The event, as the SDK has it."""
    moment = datetime.fromtimestamp(NOON, UTC).replace(microsecond=123_456)
    return CloudEvent(ATTRIBUTES | {"specversion": "1.0", "time": moment} | more, data)


def as_record(message: KafkaMessage) -> SdkRecord:
    """The message as a Kafka client gives it."""
    return SdkRecord(message.value, list(message.headers.items()))


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
@pytest.mark.parametrize("data", [{"quantity": 5}, {"quantity": 5.0}, b'{"quantity": 5}'])
@pytest.mark.parametrize("more", [{}, {"datacontenttype": "application/json", "traceparent": "00-4b-01"}])
def test_both_modes_are_counted(write, data, more) -> None:
    """An object or bytes, with a content type or without."""
    assert counted(as_record(write(event(data, **more)))) == EXPECTED


@pytest.mark.parametrize("write", [to_binary_event, to_structured_event])
def test_no_data_is_one_unit(write) -> None:
    """In either mode."""
    assert counted(as_record(write(event(None)))) == EXPECTED._replace(quantity=1)


@pytest.mark.parametrize("write", [to_binary, to_structured])
def test_both_modes_of_the_sdk_s_older_interface_are_counted(write) -> None:
    """It writes the time with its own offset."""
    more = {"time": "2026-06-20T12:00:00.123456+00:00", "datacontenttype": "application/json"}
    old = OldCloudEvent(ATTRIBUTES | more, {"quantity": 5})

    assert counted(as_record(write(old))) == EXPECTED
