"""Many rows on their way: which record says what came of them."""

import asyncio

import pytest

from metering.account import Account
from metering.push_fold import InFlight
from metering.push_log import MAX_ROWS
from metering.row import Row
from stripe_sync.push_log.folder import Moment
from stripe_sync.sending import in_flight as module
from stripe_sync.sending.in_flight import Sending
from stripe_sync.sending.sender import Sender, StripeSide, Work
from stripe_sync.shard.limits import most_in_flight
from tests.ledger_push.counts import HOUR, NOON
from tests.ledger_push.rows import name_of
from tests.stripe_sync.manual_clock import ManualClock
from tests.stripe_sync.sending.test_sender import Script
from tests.stripe_sync.world import at_once
from tests.support.eventually import eventually_async


def a_row(number: int) -> Row:
    """One of many, each of a customer of its own."""
    return Row(
        account="acme",
        meter="sms.send",
        hour=NOON // HOUR,
        start=0,
        end=5,
        customer=f"cus_{number}",
        timestamp=NOON,
    )


class OnTheWay:
    """Rows on their way to a Stripe that answers when the test lets it."""

    def __init__(self) -> None:
        self.clock, self.script, self.may = ManualClock(), Script(), asyncio.Semaphore(0)
        self.script.during = self._wait
        side = StripeSide(self.script, self.script)
        self.sending = Sending(Sender(side, self.clock, grace=3600, admit=at_once), self.clock, MAX_ROWS)

    async def _wait(self, row: Row) -> None:
        await self.may.acquire()

    async def _base(self) -> int | None:
        return 0

    def start(self, rows: int) -> None:
        """Sends so many."""
        now = self.clock.now_ms()
        for row in map(a_row, range(rows)):
            entry, account = InFlight(row=row, prepared_ms=now), Account(customer=row.customer)
            folded = Moment(now, self.clock.monotonic())
            self.sending.start(Work(name_of(row), entry, account, folded, self._base))

    async def arrive(self, rows: int) -> int:
        """Lets so many arrive; gives how many the next record would settle."""
        left = len(self.sending) - rows
        for _ in range(rows):
            self.may.release()
        await eventually_async(lambda: self._collected(left), what="the rows arrive")
        return len(self.sending.to_settle())

    async def _collected(self, left: int) -> bool:
        self.sending.collect()
        return len(self.sending) <= left


@pytest.fixture
async def way() -> OnTheWay:
    """Nothing on it."""
    return OnTheWay()


async def test_a_record_waits_until_it_is_full(way: OnTheWay) -> None:
    """Each record costs an append to Kafka and a call to Redis, however little it says."""
    way.start(MAX_ROWS + 50)
    assert await way.arrive(MAX_ROWS - 1) == 0
    assert await way.arrive(1) == MAX_ROWS
    await way.sending.stop()


async def test_a_full_record_says_all_that_there_is(way: OnTheWay) -> None:
    """More than a record's worth arrived in one turn: one append, not two."""
    way.start(3 * MAX_ROWS)
    assert await way.arrive(2 * MAX_ROWS + 7) == 2 * MAX_ROWS + 7
    await way.sending.stop()


async def test_the_last_rows_do_not_wait(way: OnTheWay) -> None:
    """Nothing else is on its way."""
    way.start(3)
    assert await way.arrive(3) == 3


async def test_a_slow_row_holds_the_others_back_for_moments_only(
    way: OnTheWay, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has arrived is settled without it, once."""
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.01)
    way.start(3)
    assert await way.arrive(2) == 0
    await way.sending.wait(0.01)
    settled = way.sending.to_settle()
    assert len(settled) == 2
    way.sending.keep([name_of(a_row(2))])
    assert (len(way.sending), way.sending.to_settle()) == (1, ())
    await way.sending.stop()


async def test_a_row_is_known_until_its_settlement_is_folded(way: OnTheWay) -> None:
    """Else it would be sent once more."""
    way.start(1)
    name = name_of(a_row(0))
    assert name in way.sending
    await way.arrive(1)
    assert name in way.sending
    way.sending.keep([])
    assert name not in way.sending


@pytest.mark.parametrize(
    ("rate", "rows"), [(0.1, 3 * MAX_ROWS), (67, 3 * MAX_ROWS), (300, 6 * MAX_ROWS), (10_000, 10 * MAX_ROWS)]
)
def test_more_is_on_its_way_where_more_may_be_sent(rate: float, rows: int) -> None:
    """Two seconds' rows, within bounds."""
    assert most_in_flight(rate) == rows
