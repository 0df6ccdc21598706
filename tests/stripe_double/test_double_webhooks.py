"""Error reports sent to a receiver: signed, thin, and again until they arrive."""

import asyncio
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import stripe

from local.stripe.deliveries import LONGEST_SECONDS, delay_after
from tests.support.eventually import eventually

from .arrange import DAY, HOUR, MINUTE, advance, event, meter
from .served import Served

SECRET = "whsec_tests"  # noqa: S105 - protects nothing


class Receiver(HTTPServer):
    """Keeps what it was sent, and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.sent: list[tuple[str, bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.sent.append((self.headers["Stripe-Signature"], body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running receiver."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def configure(double: Served, receiver: Receiver) -> None:
    """Send reports to the receiver."""
    url = f"http://127.0.0.1:{receiver.server_port}/hook"
    double.control("settings", {"webhook_url": url, "webhook_secret": SECRET})


def refuse_one(double: Served, **more: str) -> None:
    """One refused stream event, and a window that is over."""
    double.stream().v2.billing.meter_event_stream.create({"events": [event("cus_x", "bad", **more)]})
    advance(double, MINUTE)


async def test_a_report_is_verified_and_fetched_by_stripe_python(double: Served, receiver: Receiver) -> None:
    """parse_event_notification takes the signature, fetch_event_async has the data, the meter can be fetched."""
    configure(double, receiver)
    mtr = meter(double.live)
    refuse_one(double)
    signature, body = eventually(lambda: receiver.sent)[0]

    notification = double.live.parse_event_notification(body, signature, SECRET)

    assert isinstance(notification, stripe.events.V1BillingMeterErrorReportTriggeredEventNotification)
    assert notification.livemode is True
    assert b'"data"' not in body
    fetched = await notification.fetch_event_async()
    assert fetched.data.reason.error_types[0].sample_errors[0].request.identifier == "bad"
    assert (await asyncio.to_thread(notification.fetch_related_object)).id == mtr


async def test_an_unknown_event_name_has_a_type_of_its_own(double: Served, receiver: Receiver) -> None:
    """no_meter_found, without a related object."""
    configure(double, receiver)
    refuse_one(double, event_name="unheard.of")
    signature, body = eventually(lambda: receiver.sent)[0]

    notification = double.live.parse_event_notification(body, signature, SECRET)

    assert notification.type == "v1.billing.meter.no_meter_found"
    assert (await notification.fetch_event_async()).data.reason.error_count == 1


def test_another_secret_does_not_verify(double: Served, receiver: Receiver) -> None:
    """Nor a body that was changed on its way."""
    configure(double, receiver)
    meter(double.live)
    refuse_one(double)
    signature, body = eventually(lambda: receiver.sent)[0]

    for changed, secret in ((body, "whsec_other"), (body + b" ", SECRET)):
        with pytest.raises(stripe.SignatureVerificationError):
            double.live.parse_event_notification(changed, signature, secret)


def test_a_receiver_in_trouble_is_tried_again(double: Served, receiver: Receiver) -> None:
    """Later and later by the double's clock, the same event, signed anew; once it is taken there is no more of it."""
    receiver.status = 500
    configure(double, receiver)
    meter(double.live)
    refuse_one(double)
    eventually(lambda: len(receiver.sent) >= 1)
    advance(double, HOUR)
    eventually(lambda: len(receiver.sent) >= 2)
    receiver.status = 200
    advance(double, HOUR)

    eventually(lambda: double.control("deliveries")["delivered"] == 1)
    assert len({body for _, body in receiver.sent}) == 1
    assert double.control("deliveries")["attempts"] == len(receiver.sent)


def test_an_unreachable_receiver_is_given_up_after_three_days(double: Served, receiver: Receiver) -> None:
    """The event stays to be fetched."""
    configure(double, receiver)
    receiver.server_close()
    meter(double.live)
    refuse_one(double)
    eventually(lambda: double.control("deliveries")["attempts"] >= 1)
    advance(double, 4 * DAY)

    eventually(lambda: double.control("deliveries")["given up"] == 1)
    assert len(double.live.v2.core.events.list().data) == 1


def test_the_back_off_doubles_up_to_an_hour() -> None:
    """From one second."""
    assert [delay_after(attempts) for attempts in (1, 2, 3, 40)] == [1, 2, 4, LONGEST_SECONDS]


class TestEvents:
    """GET /v2/core/events."""

    def test_lists_are_paged_and_filtered(self, double: Served) -> None:
        """By type and by object, newest first."""
        mtr = meter(double.live)
        refuse_one(double)
        eventually(lambda: len(double.live.v2.core.events.list().data) == 1)
        refuse_one(double, event_name="unheard.of")
        eventually(lambda: len(double.live.v2.core.events.list().data) == 2)
        events = double.live.v2.core.events

        assert [each.type for each in events.list({"limit": 1}).auto_paging_iter()] == [
            "v1.billing.meter.no_meter_found",
            "v1.billing.meter.error_report_triggered",
        ]
        assert [each.related_object.id for each in events.list({"object_id": mtr}).data] == [mtr]
        assert len(events.list({"types": ["v1.billing.meter.no_meter_found"]}).data) == 1

    def test_an_unknown_event_is_404(self, double: Served) -> None:
        """And a live one is hidden from test keys."""
        with pytest.raises(stripe.InvalidRequestError) as caught:
            double.live.v2.core.events.retrieve("evt_x")
        assert (caught.value.http_status, caught.value.code) == (404, "not_found")
