"""Carriers' and switches' reports of calls: only answered ones count, each side once."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from telephony_billing_producers import InvalidEventError
from telephony_billing_producers.telephony import (
    FULL_MINUTES,
    Usage,
    asterisk,
    freeswitch,
    plivo,
    telnyx,
    twilio,
    vonage,
)

CALLER, CALLED = "+12065550100", "+442071838750"
ANSWERED = datetime(2026, 11, 22, 17, 0, 5, tzinfo=UTC)
Read = Callable[..., tuple[Usage, ...]]


def of_twilio(direction: str, status: str = "completed", duration: int = 61) -> tuple[Usage, ...]:
    """A status callback."""
    return twilio.call(
        {
            "CallSid": "C1",
            "CallStatus": status,
            "CallDuration": str(duration),
            "Direction": {"inbound": "inbound", "outbound": "outbound-api"}[direction],
            "From": CALLER,
            "To": CALLED,
            "Timestamp": "Sun, 22 Nov 2026 17:00:05 +0000",
        }
    )


def of_plivo(direction: str, status: str = "completed", duration: int = 61) -> tuple[Usage, ...]:
    """A hang-up callback."""
    return plivo.call(
        {
            "CallUUID": "C1",
            "CallStatus": status,
            "Duration": str(duration),
            "Direction": direction,
            "From": CALLER,
            "To": CALLED,
            "AnswerTime": "2026-11-22 17:00:05",
        }
    )


def of_vonage(direction: str, status: str = "completed", duration: int = 61) -> tuple[Usage, ...]:
    """An event webhook."""
    return vonage.call(
        {
            "uuid": "C1",
            "status": status,
            "duration": str(duration),
            "direction": direction,
            "from": CALLER,
            "to": CALLED,
            "start_time": "2026-11-22T17:00:05.000Z",
        }
    )


def of_freeswitch(
    direction: str, status: str = "completed", duration: int = 61, profile: str = "external"
) -> tuple[Usage, ...]:
    """A leg's record."""
    answered = int(ANSWERED.timestamp()) if duration else 0
    return freeswitch.call(
        {
            "variables": {
                "uuid": "C1",
                "direction": direction,
                "sofia_profile_name": profile,
                "answer_epoch": str(answered),
                "billsec": str(duration),
                "accountcode": "acct_1",
            },
            "callflow": [
                {"caller_profile": {"caller_id_number": "transferred", "destination_number": "transferred"}},
                {"caller_profile": {"caller_id_number": CALLER, "destination_number": CALLED}},
            ],
        }
    )


def row(channel: str, other: str, disposition: str = "ANSWERED", flag: str = "DOCUMENTATION") -> list[str]:
    """A line of Master.csv."""
    times = ["2026-11-22 17:00:00", "2026-11-22 17:00:05", "2026-11-22 17:01:06", "66", "61"]
    head = ["acct_1", CALLER, CALLED, "default", '"A" <1>', channel, other, "Dial", "x"]
    return [*head, *times, disposition, flag, "1763830800.42", ""]


def of_asterisk(direction: str, status: str = "completed", duration: int = 61) -> tuple[Usage, ...]:
    """A line of Master.csv."""
    channels = ["PJSIP/carrier-00000001", "PJSIP/desk-12-00000002"]
    record = row(*(channels if direction == "inbound" else channels[::-1]))
    if status != "completed" or not duration:
        record[14] = "NO ANSWER"
    return asterisk.call(record, trunks={"carrier"}, zone=UTC)


READERS = [of_twilio, of_plivo, of_vonage, of_freeswitch, of_asterisk]


@pytest.mark.parametrize("read", READERS)
def test_an_answered_call_counts(read: Read) -> None:
    """For the called number where it came in, for the calling one where it went out, from its answer on."""
    (inbound,), (outbound,) = read("inbound"), read("outbound")

    assert (inbound.meter, inbound.number) == ("voice.inbound", CALLED)
    assert (outbound.meter, outbound.number) == ("voice.outbound", CALLER)
    assert inbound.id == outbound.id
    assert {inbound.time, outbound.time} == {ANSWERED}
    assert inbound.charged_seconds(FULL_MINUTES) == 120


@pytest.mark.parametrize("read", READERS)
def test_a_call_that_nobody_answered_does_not_count(read: Read) -> None:
    """Whatever the carrier calls it."""
    assert read("outbound", duration=0) == ()


@pytest.mark.parametrize("read", [of_twilio, of_plivo, of_vonage])
@pytest.mark.parametrize("status", ["ringing", "in-progress", "busy", "no-answer", "failed", "canceled", "timeout"])
def test_a_call_that_is_not_completed_does_not_count(read: Read, status: str) -> None:
    """Not yet, or not at all."""
    assert read("outbound", status=status) == ()


def test_telnyx_counts_the_answer() -> None:
    """Its hang-up doesn't say whether anybody answered."""

    def event(kind: str, direction: str) -> dict[str, Any]:
        payload = {"call_leg_id": "C1", "direction": direction, "from": CALLER, "to": CALLED}
        return {"data": {"event_type": kind, "occurred_at": "2026-11-22T17:00:05Z", "payload": payload}}

    (inbound,) = telnyx.event(event("call.answered", "incoming"))
    (outbound,) = telnyx.event(event("call.answered", "outgoing"))

    assert (inbound.meter, inbound.number, inbound.time) == ("voice.inbound", CALLED, ANSWERED)
    assert (outbound.meter, outbound.number, outbound.id) == ("voice.outbound", CALLER, "C1")
    assert telnyx.event(event("call.hangup", "outgoing")) == ()
    with pytest.raises(InvalidEventError, match="how long"):
        outbound.charged_seconds(FULL_MINUTES)


def test_only_the_carriers_side_of_a_switch_counts() -> None:
    """A phone's own leg is the other half of a call that is counted already."""
    assert of_freeswitch("inbound", profile="internal") == ()
    assert asterisk.call(row("PJSIP/desk-1", "PJSIP/desk-2"), trunks={"carrier"}, zone=UTC) == ()


def test_a_call_from_trunk_to_trunk_is_both() -> None:
    """It came in, and it was forwarded out."""
    usage = asterisk.call(row("PJSIP/carrier-1", "SIP/other-2"), trunks={"carrier", "other"}, zone=UTC)

    assert [each.meter for each in usage] == ["voice.inbound", "voice.outbound"]
    assert {each.account for each in usage} == {"acct_1"}


@pytest.mark.parametrize("flag", ["OMIT", "IGNORE"])
def test_a_line_that_is_to_be_left_out_does_not_count(flag: str) -> None:
    """By its AMA flag."""
    assert asterisk.call(row("PJSIP/carrier-1", "", flag=flag), trunks={"carrier"}, zone=UTC) == ()


def test_a_file_is_read_line_by_line() -> None:
    """Unreadable lines are named by number, and do not stop the others; times are in the switch's zone."""
    good = ",".join(f'"{field}"' if '"' not in field else "" for field in row("PJSIP/carrier-1", ""))
    zone = timezone(timedelta(hours=2))

    lines = list(asterisk.calls([good + "\n", '"a","b"\n', good + "\n"], trunks={"carrier"}, zone=zone))

    assert [(line.number, len(line.usage)) for line in lines] == [(1, 1), (2, 0), (3, 1)]
    assert lines[1].fault is not None
    assert "loguniqueid=yes" in lines[1].fault
    assert lines[0].usage[0].time == ANSWERED - timedelta(hours=2)


@pytest.mark.parametrize(
    ("read", "report"),
    [
        (twilio.call, {"CallStatus": "completed"}),
        (twilio.call, {"CallSid": "C1", "CallStatus": "completed", "CallDuration": "5"}),
        (plivo.call, {"CallStatus": "completed"}),
        (vonage.call, {"status": "completed"}),
        (freeswitch.call, {}),
        (freeswitch.call, {"variables": {}}),
        (
            freeswitch.call,
            {
                "variables": {
                    "uuid": "1",
                    "answer_epoch": "1",
                    "sofia_profile_name": "external",
                    "direction": "inbound",
                }
            },
        ),
    ],
)
def test_what_is_no_report_is_an_error(read: Callable[[Any], object], report: dict[str, Any]) -> None:
    """An action without an id is never made one of."""
    with pytest.raises(InvalidEventError):
        read(report)
