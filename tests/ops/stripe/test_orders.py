"""`billing stripe parked`, and a person's orders for one row."""

import json
import time

from ledger.pushes import read_in_flight, read_parked
from metering.outcome import ParkReason
from metering.rfc3339 import from_unix
from metering.row import Row
from ops.stripe.parked import SHORT
from tests.ledger_push.counts import HOUR
from tests.ops.push_log_house import ANCHOR, NOW, PushLogHouse
from tests.support.eventually import eventually_async

WHY = ("--why", "ticket 12", "--who", "Ada")


async def parked(house: PushLogHouse, row: Row, reason: ParkReason = ParkReason.REFUSED, hours_ago: float = 6.0) -> str:
    """A parked row in Redis; its identifier."""
    identifier = house.park(row, reason, hours_ago)
    await eventually_async(lambda: is_parked(house, identifier), what="the row is parked")
    return identifier


async def is_parked(house: PushLogHouse, identifier: str) -> bool:
    """Whether the row waits for a person."""
    return identifier in await read_parked(house.shard)


async def in_flight(house: PushLogHouse) -> dict[str, Row]:
    """The rows on their way."""
    return {name: entry.row for name, entry in (await read_in_flight(house.shard)).items()}


async def delivered(house: PushLogHouse, row: Row, hours_ago: float = 6.0) -> str:
    """A delivered row in Redis; its identifier."""
    identifier = house.deliver(row, hours_ago)
    key = house.shard.keys.accepted(row.account, row.timestamp // (24 * HOUR))

    async def is_accepted() -> bool:
        return bool(await house.redis.hexists(key, row.minute_key))

    await eventually_async(is_accepted, what="the row is accepted")
    return identifier


class TestParked:
    """The list of parked rows."""

    async def test_nothing_waits(self, house: PushLogHouse) -> None:
        """The command says that no row is parked."""
        done = await house.billing("parked")
        assert (done.exit_code, done.stdout) == (0, "0 parked, 0 units\n")

    async def test_rows_are_shown_with_what_it_takes_to_decide(self, house: PushLogHouse) -> None:
        """Identifier, account, meter, units, reason and age: a line per row, and a sum."""
        first = await parked(house, house.row(), hours_ago=30)
        second = await parked(house, house.row(units=7), ParkReason.UNKNOWN_CUSTOMER)
        heading, *lines, total = (await house.billing("parked")).stdout.splitlines()
        assert heading.split()[:2] == ["IDENTIFIER", "ACCOUNT"]
        assert [line.split()[0] for line in lines] == [first[:SHORT], second[:SHORT]]
        assert lines[0].split()[6:11] == ["refused", "no", "code:", r"something\nwas", "wrong"]
        assert lines[0].endswith("1 d 6 h")
        assert total == "2 parked, 107 units"

    async def test_programs_get_everything(self, house: PushLogHouse) -> None:
        """With the whole identifier."""
        row = house.row()
        identifier = await parked(house, row)
        (shown,) = json.loads((await house.billing("parked", "--json")).stdout)
        assert shown.pop("age_seconds") >= 6 * HOUR
        assert NOW - 6 * HOUR <= shown.pop("prepared") <= shown.pop("parked") <= time.time() - 6 * HOUR
        assert shown == {
            "identifier": identifier,
            "shard": 0,
            "account": "acme",
            "customer": row.customer,
            "meter": "sms.send",
            "units": 100,
            "timestamp": row.timestamp,
            "carried": False,
            "reason": "refused",
            "detail": "no code: something\nwas wrong",
        }


class TestRetry:
    """The same row again."""

    async def test_it_is_on_its_way_again(self, house: PushLogHouse) -> None:
        """The row is named by the beginning of its identifier, and does not change."""
        row = house.row()
        identifier = await parked(house, row)
        done = await house.billing("retry", identifier[:8], *WHY)
        assert (done.exit_code, done.stderr) == (0, "")
        assert done.stdout == (
            f"{identifier[:SHORT]}: on its way to Stripe again, 100 units of sms.send of account acme\n"
        )
        assert await in_flight(house) == {identifier: row}

    async def test_who_and_why_are_in_the_log(self, house: PushLogHouse) -> None:
        """The log keeps person and reason; the default of --who is the user that runs the command."""
        identifier = await parked(house, house.row())
        await house.billing("retry", identifier, *WHY)
        assert house.last_record() == {"kind": "retry", "identifier": identifier, "why": "ticket 12", "who": "Ada"}

    async def test_a_row_that_is_not_parked_is_refused(self, house: PushLogHouse) -> None:
        """The error says in which state the row is."""
        await parked(house, house.row())
        (flying,) = house.prepare([house.row()])
        await eventually_async(lambda: in_flight(house), what="the row is in flight")
        nobody = await house.billing("retry", "zz", *WHY)
        assert nobody.exit_code == 1
        assert "no parked row's identifier begins with 'zz': billing stripe parked shows all" in nobody.stderr
        done = await house.billing("retry", flying, *WHY)
        assert done.exit_code == 1
        assert "is on its way to Stripe: only what is parked takes this order" in done.stderr

    async def test_no_reason_no_order(self, house: PushLogHouse) -> None:
        """A blank reason is none."""
        done = await house.billing("retry", "a", "--why", " ")
        assert (done.exit_code, "--why must say something" in done.stderr) == (1, True)


async def test_a_row_is_written_off(house: PushLogHouse) -> None:
    """After a yes: it is neither parked nor in flight any more."""
    identifier = await parked(house, house.row())
    asked = await house.billing("write-off", identifier[:10], *WHY)
    assert (asked.exit_code, "Nobody can answer here: add --yes" in asked.stderr) == (1, True)
    assert identifier in await read_parked(house.shard)

    done = await house.billing("write-off", identifier[:10], "--yes", *WHY)
    assert "written off, 100 units of sms.send of account acme will never be billed" in done.stdout
    assert (await read_parked(house.shard), await in_flight(house)) == ({}, {})


class TestReissue:
    """Another body for the same units."""

    async def test_to_another_customer(self, house: PushLogHouse) -> None:
        """Stripe does not know the old customer, so the row is absent there."""
        row = house.row(customer="cus_mistyped")
        identifier = await parked(house, row, ParkReason.UNKNOWN_CUSTOMER)
        done = await house.billing("reissue", identifier, "--customer", house.customers["acme"], *WHY)
        assert (done.exit_code, done.stderr) == (0, "")
        new = row.model_copy(update={"customer": house.customers["acme"]})
        name = new.identifier("tests")
        assert done.stdout.startswith(f"{identifier[:SHORT]}: replaced by {name[:SHORT]}, on its way to Stripe")
        assert await in_flight(house) == {name: new}
        assert await read_parked(house.shard) == {}

    async def test_not_to_a_customer_that_another_account_claims(self, house: PushLogHouse) -> None:
        """The usage would be mixed; the error names the account. The same if the row's own customer is disputed."""
        identifier = await parked(house, house.row(customer="cus_mistyped"), ParkReason.UNKNOWN_CUSTOMER)
        theirs = house.customers["beta"]
        done = await house.billing("reissue", identifier, "--customer", theirs, *WHY)
        assert done.exit_code == 1
        assert f"customer {theirs} is claimed by account beta: take it from there first" in done.stderr
        house.claim("gamma", house.customers["acme"])
        done = await house.billing("reissue", identifier, "--customer", house.customers["acme"], *WHY)
        assert "is claimed by account gamma" in done.stderr
        assert await is_parked(house, identifier)

    async def test_to_the_current_period(self, house: PushLogHouse) -> None:
        """A row of another period is marked as carried forward; here it stays in its own."""
        row = house.row()
        identifier = await parked(house, row, ParkReason.MISSED_CUTOFF)
        done = await house.billing("reissue", identifier, "--now", *WHY)
        assert done.exit_code == 0, done.stderr
        (new,) = (await in_flight(house)).values()
        assert (new.timestamp, new.carried, new.units) == (ANCHOR, False, row.units)

    async def test_not_where_stripe_has_the_row(self, house: PushLogHouse) -> None:
        """A second row would bill twice; a retry finds the first one delivered."""
        row = house.row()
        identifier = await parked(house, row)
        await house.tell_stripe(row)
        done = await house.billing("reissue", identifier, "--now", *WHY)
        assert done.exit_code == 1
        assert "Stripe has the row: its summary says 100, 0 without it. billing stripe retry" in done.stderr
        assert await is_parked(house, identifier)

    async def test_not_before_summaries_can_be_believed(self, house: PushLogHouse) -> None:
        """Not within three hours after the parking; the error names the time."""
        identifier = await parked(house, house.row(), hours_ago=2.5)
        done = await house.billing("reissue", identifier, "--now", *WHY)
        assert done.exit_code == 1
        assert "was parked less than 3 hours ago" in done.stderr

    async def test_not_onto_another_unresolved_row(self, house: PushLogHouse) -> None:
        """A minute may have only one row in flight."""
        first, second = house.row(), house.row()
        one, two = await parked(house, first), await parked(house, second)
        done = await house.billing("reissue", one, "--timestamp", from_unix(second.timestamp), *WHY)
        assert done.exit_code == 1
        assert f"{two[:SHORT]} holds that minute of the customer and meter" in done.stderr


class TestPark:
    """A delivered row that Stripe does not have after all."""

    async def test_it_is_parked_and_waits_until_summaries_can_be_believed(self, house: PushLogHouse) -> None:
        """Until it was parked, other rows could use its minute; a retry is refused with a time."""
        row = house.row()
        identifier = await delivered(house, row)
        done = await house.billing("park", identifier[:12], *WHY)
        assert (done.exit_code, done.stderr) == (0, "")
        (entry,) = (await read_parked(house.shard)).values()
        assert (entry.row, entry.reason, entry.detail) == (row, ParkReason.LOST, "ticket 12")
        early = await house.billing("retry", identifier[:12], *WHY)
        assert (early.exit_code, "was parked less than 3 hours ago" in early.stderr) == (1, True)
        assert await in_flight(house) == {}

    async def test_not_one_that_stripe_has(self, house: PushLogHouse) -> None:
        """Its summary says so."""
        row = house.row()
        identifier = await delivered(house, row)
        await house.tell_stripe(row)
        done = await house.billing("park", identifier, *WHY)
        assert done.exit_code == 1
        assert "Stripe has the row: its summary says 100, and 100 were accepted" in done.stderr
        assert await read_parked(house.shard) == {}

    async def test_not_one_that_was_delivered_lately(self, house: PushLogHouse) -> None:
        """Summaries lag."""
        identifier = await delivered(house, house.row(), hours_ago=1)
        done = await house.billing("park", identifier, *WHY)
        assert (done.exit_code, "was delivered less than 3 hours ago" in done.stderr) == (1, True)

    async def test_not_while_a_younger_row_of_its_minute_may_be_what_is_missing(self, house: PushLogHouse) -> None:
        """The older one may be the one that the summary has."""
        row = house.row(units=50)
        identifier = await delivered(house, row)
        await house.tell_stripe(row)
        house.deliver(row.model_copy(update={"start": 50, "end": 100}), hours_ago=1)

        async def refused() -> bool:
            done = await house.billing("park", identifier, *WHY)
            return done.exit_code == 1 and "50 units of that minute were delivered less than 3 hours" in done.stderr

        await eventually_async(refused, what="the younger row is seen")

    async def test_not_what_was_never_delivered(self, house: PushLogHouse) -> None:
        """Parked and unknown rows are refused too."""
        identifier = await parked(house, house.row())
        (flying,) = house.prepare([house.row()])
        for text, answer in (
            (identifier, "is parked already"),
            (flying, "was not delivered"),
            ("zz", "no row in the push log"),
        ):
            done = await house.billing("park", text, *WHY)
            assert (done.exit_code, answer in done.stderr) == (1, True), done.stderr
