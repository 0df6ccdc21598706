"""`billing stripe retry`, `reissue` and `write-off` of many rows at once."""

import asyncio
from collections.abc import Sequence

import pytest

from ledger.pushes import read_in_flight, read_parked
from metering.outcome import ParkReason
from metering.push_log import Settled, Settlement
from metering.row import Row
from tests.ops.push_log_house import PushLogHouse
from tests.support.eventually import eventually_async

WHY = ("--why", "the meter is back", "--who", "Ada")


def park_all(house: PushLogHouse, rows: Sequence[Row], reason: ParkReason, hours_ago: float = 6.0) -> list[str]:
    """Parks all rows, with two records. Returns their identifiers."""
    names = house.prepare(rows, hours_ago)
    settled = tuple(Settlement(identifier=name, parked=reason, detail="no") for name in names)
    house.write(Settled(settlements=settled), hours_ago)
    return names


@pytest.fixture
async def waiting(house: PushLogHouse) -> tuple[list[str], list[str]]:
    """The identifiers of three refused rows of `acme`, and of two rows of `beta` that missed their cut-off."""
    refused = park_all(house, [house.row() for _ in range(3)], ParkReason.REFUSED)
    missed = park_all(house, [house.row("beta", units=50) for _ in range(2)], ParkReason.MISSED_CUTOFF)
    await eventually_async(house.is_folded, what="the push log is folded")
    return refused, missed


async def parked(house: PushLogHouse) -> set[str]:
    """The rows that wait for a person."""
    return set(await read_parked(house.shard))


@pytest.mark.parametrize("order", [("retry",), ("reissue", "--now"), ("write-off",)])
async def test_a_dry_run_says_what_would_be_ordered_and_orders_nothing(
    house: PushLogHouse, waiting: tuple[list[str], list[str]], order: tuple[str, ...]
) -> None:
    """It shows rows, units and reasons; it does not ask, and writes nothing."""
    before = house.last_record()
    done = await house.billing(*order, "--all", "--dry-run", *WHY)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("would be ")
    assert done.stdout.rstrip().endswith("5 rows, 400 units (3 refused, 2 missed_cutoff)")
    assert await parked(house) == {*waiting[0], *waiting[1]}
    assert house.last_record() == before


async def test_one_row_can_be_tried_dry_too(house: PushLogHouse, waiting: tuple[list[str], list[str]]) -> None:
    """By its identifier."""
    done = await house.billing("write-off", waiting[0][0], "--dry-run", *WHY)
    assert (done.exit_code, done.stdout) == (0, "would be written off: 1 row, 100 units (1 refused)\n")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("--reason", "refused"), {0}),
        (("--account", "beta"), {1}),
        (("--meter", "sms.send", "--reason", "missed_cutoff"), {1}),
        (("--reason", "refused", "--reason", "missed_cutoff"), {0, 1}),
        (("--reason", "refused", "--account", "beta"), set()),
        (("--all",), {0, 1}),
    ],
)
async def test_rows_that_pass_every_filter_are_sent_again(
    house: PushLogHouse, waiting: tuple[list[str], list[str]], filters: tuple[str, ...], expected: set[int]
) -> None:
    """Under their own identifiers; the rest stays parked."""
    done = await house.billing("retry", *filters, *WHY)
    assert done.exit_code == 0, done.stderr
    chosen = {name for group in expected for name in waiting[group]}
    assert set(await read_in_flight(house.shard)) == chosen
    assert await parked(house) == {*waiting[0], *waiting[1]} - chosen


async def test_a_write_off_of_many_asks_with_how_many_units(
    house: PushLogHouse, waiting: tuple[list[str], list[str]]
) -> None:
    """Without a yes, it does nothing."""
    asked = await house.billing("write-off", "--account", "beta", *WHY)
    assert asked.exit_code == 1
    assert "Give 2 rows, 100 units (2 missed_cutoff) up? Their units are never billed." in asked.stderr
    assert len(await parked(house)) == 5
    done = await house.billing("write-off", "--account", "beta", "--yes", *WHY)
    assert (done.exit_code, done.stdout) == (0, "written off: 2 rows, 100 units\n")
    assert await parked(house) == set(waiting[0])


async def test_rows_that_go_to_one_minute_take_turns(house: PushLogHouse, waiting: tuple[list[str], list[str]]) -> None:
    """Three hours of one customer and meter go to the period's start: every row waits for the one before."""
    del waiting
    settled = list[str]()

    async def settle() -> bool:
        for name in set(await read_in_flight(house.shard)) - set(settled):
            settled.append(name)
            house.write(Settled(settlements=(Settlement(identifier=name),)), 0)
        return len(settled) == 3

    async def order() -> None:
        done = await house.billing("reissue", "--now", "--account", "acme", *WHY)
        assert done.exit_code == 0, done.stderr
        assert done.stdout == "replaced where Stripe does not have them: 3 rows, 300 units\n"

    ordering = asyncio.create_task(order())
    await eventually_async(settle, what="all three were on their way, one after the other")
    await ordering
    assert len(await parked(house)) == 2


async def test_what_can_not_be_ordered_is_left_and_named(
    house: PushLogHouse, waiting: tuple[list[str], list[str]]
) -> None:
    """A row that Stripe has, and one that is too young, are left; the others go on: exit code 1."""
    held = house.row("beta")
    (there,) = park_all(house, [held], ParkReason.REFUSED)
    await house.tell_stripe(held)
    young = park_all(house, [house.row("beta")], ParkReason.REFUSED, hours_ago=1)
    await eventually_async(house.is_folded, what="the push log is folded")
    too_old = ("--timestamp", "2026-01-01T00:00:00Z")
    nothing = await house.billing("reissue", "--account", "beta", *too_old, *WHY)
    assert (nothing.exit_code, "would be left: 4 rows" in nothing.stdout) == (1, True)
    done = await house.billing("reissue", "--account", "beta", "--reason", "refused", "--now", *WHY)
    assert done.exit_code == 1
    assert "left: 1 row: Stripe has the row: its summary says 100, 0 without it" in done.stdout
    assert "left: 1 row: the row was parked less than 3 hours ago" in done.stdout
    assert await parked(house) == {*waiting[0], *waiting[1], there, *young}


@pytest.mark.parametrize(
    "options", [(), ("abc", "--all"), ("--all", "--reason", "refused"), ("--meter", "sms.sent")], ids=str
)
async def test_a_choice_is_of_one_kind(house: PushLogHouse, options: tuple[str, ...]) -> None:
    """One identifier, or filters, or all: otherwise the choice is not clear."""
    done = await house.billing("retry", *options, *WHY)
    assert done.exit_code == 1
    assert "say which rows" in done.stderr or "there is no meter sms.sent" in done.stderr
