"""Carriers' reports of messages: which statuses count, once, under which id and number."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from telephony_billing_producers import InvalidEventError
from telephony_billing_producers.telephony import Usage, plivo, telnyx, twilio, vonage

US, THEM = "+12065550100", "+442071838750"
Report = Callable[[str], tuple[Usage, ...]]


def of_twilio(status: str) -> tuple[Usage, ...]:
    """A status callback, or an incoming message."""
    inbound = status == "received"
    name = "SmsStatus" if inbound else "MessageStatus"
    sides = {"From": THEM, "To": US} if inbound else {"From": US, "To": THEM}
    return twilio.message({name: status, "MessageSid": "SM1", "NumSegments": "2", **sides})


def of_telnyx(status: str) -> tuple[Usage, ...]:
    """The event that a status comes with."""
    kind = {"received": "message.received", "sent": "message.sent"}.get(status, "message.finalized")
    inbound = status == "received"
    payload = {
        "id": "SM1",
        "type": "SMS",
        "parts": 2,
        "from": {"phone_number": THEM if inbound else US},
        "to": [{"phone_number": US if inbound else THEM, "status": status}],
    }
    return telnyx.event({"data": {"event_type": kind, "occurred_at": "2026-11-22T17:00:00.574Z", "payload": payload}})


def of_plivo(status: str) -> tuple[Usage, ...]:
    """A status callback, or an incoming message."""
    if status == "received":
        return plivo.message({"MessageUUID": "SM1", "From": THEM, "To": US, "Text": "hi", "Units": "2"})
    return plivo.message({"MessageUUID": "SM1", "From": US, "To": THEM, "Status": status, "Units": "2"})


def of_vonage(status: str) -> tuple[Usage, ...]:
    """A status webhook, or an incoming message."""
    inbound = status == "received"
    webhook: dict[str, Any] = {
        "message_uuid": "SM1",
        "channel": "sms",
        "from": THEM if inbound else US,
        "to": US if inbound else THEM,
        "timestamp": "2026-11-22T17:00:00Z",
        "sms": {"count_total": "2"},
    }
    return vonage.message(webhook if inbound else webhook | {"status": status})


@pytest.mark.parametrize(
    ("report", "counts", "does_not"),
    [
        (
            of_twilio,
            ["sent", "delivered", "undelivered", "read"],
            ["accepted", "scheduled", "queued", "sending", "failed", "canceled"],
        ),
        (
            of_telnyx,
            ["sent", "delivered", "delivery_failed", "delivery_unconfirmed"],
            ["sending_failed", "expired", "cancelled", "queued", "sending"],
        ),
        (of_plivo, ["sent", "delivered", "undelivered", "read"], ["queued", "failed", "rejected"]),
        (of_vonage, ["submitted", "delivered"], ["rejected", "undeliverable"]),
    ],
)
def test_a_message_counts_once_the_carrier_has_it(report: Report, counts: list[str], does_not: list[str]) -> None:
    """All its reports have one id and the sender's number; a message that never left has no usage."""
    for status in counts:
        (usage,) = report(status)
        assert (usage.meter, usage.id, usage.number, usage.per_segment()) == ("sms.send", "SM1", US, 2), status
    for status in does_not:
        assert report(status) == (), status


@pytest.mark.parametrize("report", [of_twilio, of_telnyx, of_plivo, of_vonage])
def test_a_received_message_counts_for_its_receiver(report: Report) -> None:
    """Under the carrier's id."""
    (usage,) = report("received")

    assert (usage.meter, usage.id, usage.number, usage.segments) == ("sms.receive", "SM1", US, 2)


@pytest.mark.parametrize("report", [of_telnyx, of_vonage])
def test_the_time_is_the_reports(report: Report) -> None:
    """Where it has one."""
    (usage,) = report("delivered")

    assert usage.time is not None
    assert usage.time.replace(microsecond=0) == datetime(2026, 11, 22, 17, tzinfo=UTC)


def test_parts_of_a_long_message_are_one_message() -> None:
    """Plivo reports them one by one."""
    form = {"From": US, "To": THEM, "Status": "delivered", "ParentMessageUUID": "first"}

    ids = {plivo.message(form | {"MessageUUID": uuid})[0].id for uuid in ("first", "second")}

    assert ids == {"first"}


def test_segments_that_nobody_told_are_not_guessed() -> None:
    """A Messaging Service's 0, or nothing: one would be counted, and the truth would be a duplicate."""
    for told in ({"NumSegments": "0"}, {}):
        (usage,) = twilio.message({"MessageSid": "SM1", "MessageStatus": "sent", "From": US, **told})
        with pytest.raises(InvalidEventError, match="sms_segments"):
            usage.per_segment()


def test_other_channels_are_not_sms() -> None:
    """There is no meter for them."""
    mms = {"data": {"event_type": "message.sent", "payload": {"id": "1", "type": "MMS", "to": []}}}
    assert telnyx.event(mms) == ()
    assert vonage.message({"message_uuid": "1", "channel": "whatsapp", "status": "submitted"}) == ()


@pytest.mark.parametrize(
    ("read", "report"),
    [
        (twilio.message, {}),
        (twilio.message, {"MessageSid": "", "MessageStatus": "sent"}),
        (twilio.message, {"MessageSid": "SM1", "MessageStatus": "sent", "From": US, "NumSegments": "two"}),
        (twilio.message, {"MessageSid": "SM1", "MessageStatus": "sent"}),
        (telnyx.event, {}),
        (telnyx.event, {"data": {"payload": {}}}),
        (telnyx.event, {"data": {"event_type": "message.sent", "payload": {"type": "SMS", "from": None}}}),
        (plivo.message, {"Status": "sent"}),
        (vonage.message, {"status": "submitted"}),
        (vonage.message, {"message_uuid": "1", "channel": "sms", "status": "submitted", "from": US, "timestamp": "?"}),
    ],
)
def test_what_is_no_report_is_an_error(read: Callable[[Any], object], report: Mapping[str, Any]) -> None:
    """An action without an id is never made one of."""
    with pytest.raises(InvalidEventError):
        read(report)
