"""The stream transport: many rows a request, sessions that end, one spoiled row among good ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, TypeVar

import httpx
import pytest
import stripe

from metering.account import Account
from metering.outcome import Ambiguous, Delivered, Outcome, Park, RetryLater, StopWorker
from metering.push_fold import InFlight
from metering.push_log import Settlement
from metering.row import Row
from runtime.settings import StripeSettings
from stripe_sync.errors import StripeStoppedError
from stripe_sync.push_log.folder import Moment
from stripe_sync.sending.sender import Sender, StripeSide, Work
from stripe_sync.stripe_api.stream import PATH, StreamTransport
from stripe_sync.stripe_api.summaries import StripeSummaries
from stripe_sync.stripe_api.transport_choice import chosen_transport
from tests.ledger_push.counts import HOUR, NOON
from tests.stripe_sync.answering import Answer, answering
from tests.stripe_sync.double import URL, Double, known, running_double
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.world import at_once

T = TypeVar("T")
SESSION = "/v2/billing/meter_event_session"


@pytest.fixture
def clock() -> ManualClock:
    """One for the transport and for Stripe."""
    return ManualClock()


@pytest.fixture
async def double(clock: ManualClock) -> AsyncIterator[Double]:
    """A Stripe that opens its stream to test keys."""
    with running_double(clock) as double:
        await double.prepare()
        await control(double, "settings", {"stream_in_test_mode": True})
        yield double


@pytest.fixture
async def transport(double: Double, clock: ManualClock) -> StreamTransport:
    """The transport."""
    return StreamTransport(double.client(), clock)


async def control(double: Double, path: str, body: Any) -> None:
    """One of the double's own controls."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(double.recorder)) as client:
        (await client.post(f"{URL}/_double/{path}", json=body)).raise_for_status()


def rows(customer: str, number: int) -> Iterator[tuple[Row, str]]:
    """Rows of one customer and meter, each of an hour of its own, worth 1, 2, 3 ..."""
    for at in range(number):
        row = Row(
            account="a",
            meter="sms.send",
            hour=NOON // HOUR - at,
            start=0,
            end=at + 1,
            customer=customer,
            timestamp=NOON - at * HOUR,
        )
        yield row, row.identifier("tests")


async def send_all(transport: StreamTransport, sending: list[tuple[Row, str]]) -> list[Outcome]:
    """Sends them at the same time."""
    return await asyncio.gather(*(transport.send(row, identifier) for row, identifier in sending))


async def test_rows_that_are_sent_together_share_requests_of_a_hundred(
    transport: StreamTransport, double: Double
) -> None:
    """250 rows of one customer and meter: three requests at once, one session, and every unit arrives."""
    customer = await double.customer()
    outcomes = await send_all(transport, list(rows(customer, 250)))
    assert outcomes == [Delivered()] * 250
    assert double.billed() == {(customer, "sms.send"): 250 * 251 // 2}
    assert (double.calls(PATH), double.calls(SESSION)) == (3, 1)


async def test_a_row_that_is_sent_again_has_the_same_bytes_and_counts_once(
    transport: StreamTransport, double: Double
) -> None:
    """Stripe drops a known identifier without a word."""
    customer = await double.customer()
    (sending,) = rows(customer, 1)
    assert await transport.send(*sending) == Delivered()
    assert await transport.send(*sending) == Delivered()
    sent = [json.loads(each.request)["events"] for each in double.recorder.exchanges if each.path == PATH]
    assert sent[0] == sent[1] != []
    assert double.billed() == {(customer, "sms.send"): 1}


async def test_a_session_is_renewed_before_it_ends(
    transport: StreamTransport, double: Double, clock: ManualClock
) -> None:
    """By the monotonic clock: after 13 minutes the token still serves, after 14 there is a new one."""
    customer = await double.customer()
    first, second, third = rows(customer, 3)
    await transport.send(*first)
    clock.advance(13 * 60)
    await transport.send(*second)
    assert double.calls(SESSION) == 1
    clock.advance(60)
    assert await transport.send(*third) == Delivered()
    assert double.calls(SESSION) == 2


async def test_a_session_that_ended_early_is_replaced(
    transport: StreamTransport, double: Double, clock: ManualClock
) -> None:
    """A machine that slept has a stale token: nothing was taken, and the row goes with the next session."""
    customer = await double.customer()
    first, second = rows(customer, 2)
    await transport.send(*first)
    clock.set_wall(16 * 60)  # of Stripe; the monotonic clock stood still
    assert isinstance(await transport.send(*second), RetryLater)
    assert await transport.send(*second) == Delivered()
    assert double.billed() == {(customer, "sms.send"): 3}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"fault": "rate_limited", "seconds": 7}, RetryLater),
        ({"fault": "error_before"}, Ambiguous),
        ({"fault": "error_after"}, Ambiguous),
        ({"fault": "forbidden"}, StopWorker),
        ({"fault": "session_expired"}, RetryLater),
    ],
    ids=lambda value: value["fault"] if isinstance(value, dict) else "",
)
async def test_one_answer_is_every_row_s(
    transport: StreamTransport, double: Double, fault: dict[str, Any], expected: type[Outcome]
) -> None:
    """What came of the request came of each of its rows; sent again, each arrives once."""
    customer = await double.customer()
    await control(double, "faults", [fault | {"match": {"path": PATH}}])
    sending = list(rows(customer, 3))
    assert {type(outcome) for outcome in await send_all(transport, sending)} == {expected}
    assert await send_all(transport, sending) == [Delivered()] * 3
    assert double.billed() == {(customer, "sms.send"): 6}


async def test_one_row_that_spoils_the_request_is_found_and_the_others_go(
    transport: StreamTransport, double: Double
) -> None:
    """Stripe refuses the whole request: halves are tried, down to the one that is to blame."""
    customer = await double.customer()
    good = list(rows(customer, 20))
    bad = good[7][0].model_copy(update={"start": 0, "end": 5}), "x" * 101
    outcomes = await send_all(transport, [*good[:7], bad, *good[8:]])
    assert isinstance(outcomes[7], Park)
    assert outcomes[:7] + outcomes[8:] == [Delivered()] * 19
    assert double.billed() == {(customer, "sms.send"): 210 - 8}


async def test_who_is_cancelled_takes_its_row_along(transport: StreamTransport, double: Double) -> None:
    """A shard that went to another worker sends nothing any more; the rows beside it do."""
    customer = await double.customer()
    first, second = (asyncio.create_task(transport.send(*each)) for each in rows(customer, 2))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == Delivered()
    assert double.billed() == {(customer, "sms.send"): 2}


async def test_a_stranger_s_answer_is_ambiguous(clock: ManualClock, double: Double) -> None:
    """A 200 that is not `{}` says nothing of the rows."""
    async with answering(Answer(200, {"welcome": "to our hotel"})) as portal:
        client = double.client()
        transport = StreamTransport(client, clock)
        await transport.check()
        elsewhere = stripe.StripeClient(
            "sk_test_double", http_client=stripe.HTTPXClient(), base_addresses={"meter_events": portal.url}
        )
        transport._client = elsewhere
        (sending,) = rows("cus_1", 1)
        assert isinstance(await transport.send(*sending), Ambiguous)


async def test_a_session_that_fails_fails_once_for_all_who_wait(clock: ManualClock, double: Double) -> None:
    """However many requests wait for it, they do not try one after the other until their rows are too old to send."""
    attempts = []

    async def away(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        attempts.append(name)
        raise httpx.ConnectError("away")

    transport = StreamTransport(double.client(away), clock)
    outcomes = await send_all(transport, list(rows("cus_1", 300)))
    assert {type(outcome) for outcome in outcomes} == {RetryLater}
    assert len(attempts) == 1


async def test_a_row_that_is_cancelled_while_a_session_is_made_is_not_sent(clock: ManualClock, double: Double) -> None:
    """Its shard is another worker's by then."""
    customer, asked, may_answer = await double.customer(), asyncio.Event(), asyncio.Event()

    async def slow(name: str, perform: Callable[[], Awaitable[T]]) -> T:
        asked.set()
        await may_answer.wait()
        return await perform()

    transport = StreamTransport(double.client(slow), clock)
    kept, dropped = (asyncio.create_task(transport.send(*sending)) for sending in rows(customer, 2))
    await asked.wait()
    dropped.cancel()
    await asyncio.wait([dropped])
    may_answer.set()
    assert await kept == Delivered()
    assert double.billed() == {(customer, "sms.send"): 1}


async def test_without_a_session_nothing_was_sent(clock: ManualClock) -> None:
    """Stripe is away, or what answers is not Stripe: again later, and not ambiguous."""
    with running_double(clock) as double:

        async def away(name: str, perform: Callable[[], Awaitable[T]]) -> T:
            raise httpx.ConnectError("away")

        transport = StreamTransport(double.client(away), clock)
        (sending,) = rows("cus_1", 1)
        assert isinstance(await transport.send(*sending), RetryLater)


@pytest.mark.parametrize(("lanes", "requests"), [(False, 1), (True, 3)])
async def test_the_stream_knows_no_lanes(
    transport: StreamTransport, double: Double, clock: ManualClock, lanes: bool, requests: int
) -> None:
    """One call at a time per customer and meter is a rule of the single endpoints; here it would cost requests."""
    customer = await double.customer()
    summaries = StripeSummaries(double.client(), known(double.meter_ids))
    sender = Sender(StripeSide(transport, summaries), clock, grace=3600, admit=at_once, lanes=lanes)
    now_ms = clock.now_ms()

    async def base() -> int:
        return 0

    works = [
        Work(name, InFlight(row=row, prepared_ms=now_ms), Account(), Moment(now_ms, clock.monotonic()), base)
        for row, name in rows(customer, 3)
    ]
    settled = await asyncio.gather(*map(sender.settle, works))
    assert settled == [Settlement(identifier=work.identifier) for work in works]
    assert double.calls(PATH) == requests


class TestStart:
    """What is checked before anything is sent."""

    async def test_stripe_s_stream_is_for_live_keys(self, clock: ManualClock) -> None:
        """A test key is refused with what to do, without asking Stripe."""
        settings = StripeSettings(stripe_transport="stream", stripe_api_key="sk_test_1")
        client = stripe.StripeClient("sk_test_1", http_client=stripe.HTTPXClient())
        with pytest.raises(StripeStoppedError, match="BILLING_STRIPE_TRANSPORT=single"):
            await chosen_transport(settings, client, clock)

    async def test_the_double_decides_for_itself(self, double: Double, clock: ManualClock) -> None:
        """It is no Stripe: it may open its stream to a test key, or not."""
        settings = StripeSettings(stripe_transport="stream", stripe_api_key="sk_test_double", stripe_api_base=URL)
        assert isinstance(await chosen_transport(settings, double.client(), clock), StreamTransport)
        await control(double, "settings", {"stream_in_test_mode": False})
        with pytest.raises(StripeStoppedError, match="no meter event session: livemode_required"):
            await chosen_transport(settings, double.client(), clock)

    def test_the_rate_follows_the_transport(self) -> None:
        """80 % of Stripe's limit of either, unless one is set."""
        assert StripeSettings().stripe_rate_limit == 800
        assert StripeSettings(stripe_transport="stream").stripe_rate_limit == 8000
        assert StripeSettings(stripe_transport="stream", stripe_rate_limit=5).stripe_rate_limit == 5
