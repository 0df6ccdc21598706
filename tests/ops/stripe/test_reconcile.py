"""`billing stripe reconcile`: compares the accepted units with Stripe's summaries."""

import asyncio
import json
from typing import Any

import pytest
import requests

from metering.outcome import ParkReason
from metering.push_log import Settled, Settlement
from metering.rfc3339 import from_unix
from metering.row import Row
from ops.stripe.parked import SHORT
from stripe_sync.tasks import end_tasks
from tests.ledger_push.counts import HOUR
from tests.ops.push_log_house import PushLogHouse
from tests.stripe_double.served import Served
from tests.support.eventually import eventually_async


async def told(house: PushLogHouse, row: Row, hours_ago: float = 6.0) -> str:
    """A delivered row that Stripe has; its identifier."""
    await house.tell_stripe(row)
    return house.deliver(row, hours_ago)


async def reconciled(house: PushLogHouse, *options: str) -> dict[str, Any]:
    """The answer for programs, once the log that was written is folded."""
    await eventually_async(house.is_folded, what="the push log is folded")
    done = await house.billing("reconcile", "--json", *options)
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert done.exit_code == (0 if answer["equal"] else 1)
    return answer


async def refuse(double: Served, path: str, fault: str, times: int) -> None:
    """Stripe answers some requests with a fault."""
    rule = {"match": {"path": path}, "fault": fault, "times": times}
    done = await asyncio.to_thread(requests.post, f"{double.url}/_double/faults", json=[rule], timeout=10)
    done.raise_for_status()


def differences(answer: dict[str, Any]) -> list[tuple[int, int, list[str], int]]:
    """Accepted, Stripe's, why, seconds."""
    return [(each["accepted"], each["stripe"], each["why"], each["seconds"]) for each in answer["differences"]]


async def test_equal_sums_are_a_difference_of_nothing(house: PushLogHouse) -> None:
    """Two accounts, three rows, and the target is met."""
    for account in ("acme", "acme", "beta"):
        await told(house, house.row(account))
    await eventually_async(house.is_folded, what="the push log is folded")
    done = await house.billing("reconcile")
    assert done.exit_code == 0, done.stderr
    last = done.stdout.splitlines()
    told_of = "300 units accepted of 2 customers and meters; differences: 0, without explanation: 0, not compared: 0"
    assert last[0].endswith(told_of)
    assert last[1:] == ["unexplained difference: 0"]


async def test_a_shortage_is_named_with_its_row_which_can_be_parked(house: PushLogHouse) -> None:
    """With customer, meter, minute and the row's identifier; once it is parked, nothing differs."""
    await told(house, house.row())
    lost = house.row()
    identifier = house.deliver(lost)
    await eventually_async(house.is_folded, what="the push log is folded")
    done = await house.billing("reconcile")
    assert done.exit_code == 1
    heading, line, *rest = done.stdout.splitlines()
    assert heading.split() == [
        "CUSTOMER",
        "METER",
        "TIME",
        "ACCEPTED",
        "CARRIED",
        "STRIPE",
        "DIFFERENCE",
        "WHY",
        "ROWS",
    ]
    assert line.split() == [
        *(lost.customer, "sms.send", from_unix(lost.timestamp)),
        *("100", "0", "0", "-100", "unknown", identifier[:SHORT]),
    ]
    assert rest[1] == "unexplained difference: 100 (the target is 0)"
    parking = await house.billing("park", identifier[:SHORT], "--why", "ticket 12")
    assert parking.exit_code == 0, parking.stderr
    assert (await reconciled(house))["differences"] == []


async def test_what_summaries_may_not_show_yet_is_explained(house: PushLogHouse) -> None:
    """Rows delivered less than three hours ago; delivered but not settled; parked but delivered after all."""
    house.deliver(house.row(), hours_ago=1)
    flying, parked = house.row(), house.row()
    house.prepare([flying])
    house.park(parked, ParkReason.UNDECIDABLE)
    for row in (flying, parked):
        await house.tell_stripe(row)
    answer = await reconciled(house)
    assert answer["equal"]
    assert answer["unexplained"] == 0
    assert sorted(differences(answer)) == [
        (0, 100, ["in flight"], 60),
        (0, 100, ["parked"], 60),
        (100, 0, ["too fresh"], 60),
    ]


async def test_a_stranger_s_usage_is_not_explained(house: PushLogHouse) -> None:
    """Another system reports usage of this customer: in a minute of ours, and in another one."""
    row = house.row()
    await told(house, row)
    await house.tell_stripe(row.model_copy(update={"end": 7}))
    await house.tell_stripe(row.model_copy(update={"end": 5, "timestamp": row.timestamp + 600}))
    answer = await reconciled(house)
    assert not answer["equal"]
    assert answer["unexplained"] == 12
    assert differences(answer) == [(100, 107, ["unknown"], 60), (0, 5, ["unknown"], HOUR)]


async def test_a_customer_of_two_accounts_is_looked_at_as_one(house: PushLogHouse) -> None:
    """It moved from one account to the other; only the sum of both is what Stripe has."""
    customer = house.customers["acme"]
    first = house.row("acme")
    await told(house, first)
    await told(house, house.row("beta", customer=customer))
    await told(house, first.model_copy(update={"account": "beta", "end": 60}))
    assert (await reconciled(house))["differences"] == []


async def test_what_is_compared_can_be_narrowed(house: PushLogHouse) -> None:
    """By customer, meter and time."""
    row = house.row()
    house.deliver(row)
    hour = from_unix(row.timestamp)
    for options, lanes in (
        (["--customer", "cus_other"], 0),
        (["--meter", "voice.ai"], 0),
        (["--end", hour], 0),
        (["--start", hour, "--customer", row.customer, "--meter", "sms.send"], 1),
    ):
        answer = await reconciled(house, *options)
        assert (answer["lanes"], answer["equal"]) == (lanes, not lanes), options


async def test_what_can_not_be_asked_is_refused(house: PushLogHouse) -> None:
    """In one line, with exit code 1."""
    for options, words in (
        (["--meter", "fax"], "there is no meter fax"),
        (["--start", "2026-01-02T00:00:00Z", "--end", "2026-01-01T00:00:00Z"], "--start must be before --end"),
        (["--start", "2020-01-01T00:00:00Z"], "at most 70 days at once"),
    ):
        done = await house.billing("reconcile", *options)
        assert (done.exit_code, words in done.stderr) == (1, True), done.stderr


async def test_a_customer_that_stripe_does_not_know_is_not_called_equal(house: PushLogHouse) -> None:
    """The output says that it was not compared; exit code 1."""
    house.deliver(house.row(customer="cus_gone"))
    answer = await reconciled(house)
    ((customer, why),) = [(each["customer"], each["why"]) for each in answer["not_compared"]]
    assert (customer, "No such customer: 'cus_gone'" in why) == ("cus_gone", True)
    assert not answer["equal"]


async def test_a_customer_that_stripe_never_knew_misses_nothing_as_long_as_nothing_was_accepted(
    house: PushLogHouse,
) -> None:
    """Its rows are parked, and are looked after there."""
    house.park(house.row(customer="cus_mistyped"), ParkReason.UNKNOWN_CUSTOMER)
    assert (await reconciled(house))["equal"]


async def test_live_traffic_is_no_difference(house: PushLogHouse) -> None:
    """Given rows that are prepared, sent and settled all the time, every run finds nothing that it can't explain."""
    told_rows = 0

    async def bill() -> None:
        nonlocal told_rows
        row = house.row(units=1)
        while True:  # one watermark after the other, in one bucket
            (identifier,) = house.prepare([row], hours_ago=0)
            await eventually_async(house.is_folded, what="the push log is folded")
            await house.tell_stripe(row)
            house.write(Settled(settlements=(Settlement(identifier=identifier),)), hours_ago=0)
            row = row.model_copy(update={"start": row.end, "end": row.end + 1})
            told_rows += 1

    await told(house, house.row())
    billing = asyncio.create_task(bill())
    try:
        for _ in range(5):
            done = await house.billing("reconcile", "--json")
            answer = json.loads(done.stdout)
            assert (done.exit_code, answer["unexplained"], answer["equal"]) == (0, 0, True), answer
        assert told_rows > 2
    finally:
        await end_tasks([billing])


@pytest.mark.parametrize("fault", ["rate_limited", "error_before", "disconnect"])
async def test_an_outage_of_stripes_is_asked_again(house: PushLogHouse, double: Served, fault: str) -> None:
    """Given summaries that are refused for a moment, the comparison is as good as without."""
    await told(house, house.row())
    await eventually_async(house.is_folded, what="the push log is folded")
    await refuse(double, "*event_summaries*", fault, times=2)
    assert (await reconciled(house))["equal"]


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("unauthorized", "BILLING_STRIPE_API_KEY"),
        ("error_before", "try again in a minute"),
        ("rate_limited", "try again in a minute"),
    ],
)
async def test_a_refusal_leads_to_its_own_mend(house: PushLogHouse, double: Served, fault: str, advice: str) -> None:
    """Given meters that can't be listed, the advice is about a key only where a key is at fault."""
    await refuse(double, "/v1/billing/meters", fault, times=100)
    done = await house.billing("reconcile")
    assert (done.exit_code, advice in done.stderr) == (1, True), done.stderr
    assert ("BILLING_STRIPE_API_KEY" in done.stderr) == (fault == "unauthorized")
