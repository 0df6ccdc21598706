"""Which usage belongs to the current billing period, at its boundaries and with the account's facts."""

from dataclasses import dataclass

import pytest

from api.reading.current_period import PeriodQueries, draw
from api.settings import ApiSettings
from metering.account import Account
from tests.api.calling import USAGE, bearer, calling, totals, unix
from tests.api.folded import Folded

APRIL_30, MAY_1, MAY_15, MAY_31, JUNE_1 = (
    "2026-04-30T23:59:59",
    "2026-05-01T00:00:00",
    "2026-05-15T10:30:00",
    "2026-05-31T23:59:59",
    "2026-06-01T00:00:00",
)
UNITS = {APRIL_30: 1, MAY_1: 2, MAY_15: 4, MAY_31: 8, JUNE_1: 16}


@dataclass(frozen=True)
class Case:
    """What is known of the account, the time of the request, and the events that are shown then."""

    name: str
    now: str
    shown: tuple[str, ...]
    anchor: str | None = None
    start: str | None = None

    def account(self) -> Account:
        """The account's facts."""
        return Account(
            anchor=unix(self.anchor) if self.anchor else None,
            subscription_start=unix(self.start) if self.start else None,
        )


CASES = [
    Case("calendar month", "2026-05-20T00:00:00", (MAY_1, MAY_15, MAY_31)),
    Case("its last second", "2026-05-31T23:59:59", (MAY_1, MAY_15, MAY_31)),
    Case("a second later", "2026-06-01T00:00:00", (JUNE_1,)),
    Case("monthly from the anchor", "2026-05-20T00:00:00", (MAY_15, MAY_31, JUNE_1), anchor="2026-01-15T10:00:00"),
    Case("before the anchor's hour", "2026-05-15T09:59:59", (APRIL_30, MAY_1), anchor="2026-01-15T10:00:00"),
    Case("clipped to the month", "2026-05-10T00:00:00", (APRIL_30, MAY_1, MAY_15), anchor="2026-01-31T00:00:00"),
    Case("an anchor off the hour: the rest of that hour is old", "2026-05-20T00:00:00", (MAY_31, JUNE_1),
         anchor="2026-01-15T10:15:00"),
    Case("its bucket is still in the old period's reading", "2026-05-15T10:14:59", (APRIL_30, MAY_1, MAY_15),
         anchor="2026-01-15T10:15:00"),
    Case("from the subscription's start", "2026-05-20T00:00:00", (MAY_15, MAY_31), start="2026-05-02T00:00:00"),
    Case("the start's bucket counts whole", "2026-05-20T00:00:00", (MAY_15, MAY_31), start="2026-05-15T10:45:00"),
    Case("a start in the future: nothing", "2026-05-20T00:00:00", (), start="2026-08-01T00:00:00"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_current_period(case: Case, settings: ApiSettings, folded: Folded) -> None:
    """Given five events around a month, exactly those in the account's current period are shown."""
    key = await folded.key("acme")
    await folded.account("acme", case.account())
    for time, units in UNITS.items():
        await folded.use("acme", "sms.send", units, unix(time))
    async with calling(settings, now=lambda: unix(case.now)) as api:
        shown = totals(await api.get(USAGE, headers=bearer(key)))
    assert shown.get("sms.send", 0) == sum(UNITS[time] for time in case.shown)


async def test_a_running_process_enters_the_next_period(settings: ApiSettings, folded: Folded) -> None:
    """Given a process that has answered in May, its first answer in June begins at zero."""
    key = await folded.key("acme")
    await folded.use("acme", "sms.send", 5, unix(MAY_31))
    moment = [unix("2026-05-31T23:59:59") + 0.999]
    async with calling(settings, now=lambda: moment[-1]) as api:
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 5}
        moment.append(unix("2026-06-01T00:00:00"))
        assert totals(await api.get(USAGE, headers=bearer(key))) == {}


def test_queries_are_kept_for_the_most_recent_accounts() -> None:
    """Given one account too many, the one that was asked for longest ago is drawn without its record again."""
    queries, now = PeriodQueries(limit=2), unix("2026-05-20T00:00:00")
    record = Account(anchor=unix("2026-01-15T10:00:00")).to_json()
    for account in ("a", "b", "a", "c"):
        queries.keep(account, draw(record, now))
    assert [queries.guess(account, now).record for account in "abc"] == [record, b"", record]


def test_a_question_outlives_its_period_with_its_record() -> None:
    """Given a kept query and a time in the next period, the record stays and the period is drawn anew."""
    queries, may, june = PeriodQueries(), unix("2026-05-20T00:00:00"), unix("2026-06-20T00:00:00")
    record = Account(anchor=unix("2026-01-15T10:00:00")).to_json()
    queries.keep("acme", draw(record, may))
    assert queries.guess("acme", may) == draw(record, may)
    assert queries.guess("acme", june) == draw(record, june) != draw(record, may)
