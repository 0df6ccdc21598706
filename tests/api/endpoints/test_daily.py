"""GET /api/billing/usage/daily: every day of a range, as JSON and as CSV."""

import csv
import io
from datetime import date, timedelta
from typing import Any

import httpx
import pytest

from api.endpoints.daily_csv import HEADER, harmless
from api.settings import ApiSettings
from metering.account import Account
from metering.meters import CATALOGUE
from tests.api.calling import NOW, Interposed, assert_problem, bearer, calling, totals, unix
from tests.api.folded import Folded

DAILY = "/api/billing/usage/daily"
FILE = "/api/billing/usage/daily.csv"
WHOLE_JUNE = {"start": "2026-06-01", "end": "2026-06-20"}
EARLIEST = "2026-04-12"  # the first UTC day that began less than 70 days before NOW


def shown(answer: httpx.Response, what: str = "total") -> dict[tuple[str, str], int]:
    """The numbers that are not zero, by day and meter."""
    assert answer.status_code == 200, answer.text
    return {
        (day["date"], each["meter"]): each[what] for day in answer.json()["days"] for each in day["usage"] if each[what]
    }


async def test_every_day_of_the_range_is_there(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given usage on two days, the others are zero; all meters stand in catalogue order; the body is as documented."""
    key = await folded.key("acme")
    await folded.use("acme", "sms.send", 3, unix("2026-05-30T00:00:00"))
    await folded.use("acme", "sms.send", 4, unix("2026-06-02T23:59:59"))
    await folded.use("acme", "voice.ai", 5, unix("2026-06-20T11:59:59"))

    answer = await api.get(DAILY, params={"start": "2026-05-30", "end": "2026-06-20"}, headers=bearer(key))

    body = answer.json()
    assert list(body) == ["start", "end", "days", "period", "asOf"]
    assert (body["start"], body["end"]) == ("2026-05-30", "2026-06-20")
    assert body["period"] == {"start": "2026-06-01T00:00:00Z", "end": "2026-07-01T00:00:00Z"}
    assert body["asOf"] == answer.headers["x-usage-as-of"] == "2026-06-20T12:00:00.123Z"
    days = [date(2026, 5, 30) + timedelta(days=number) for number in range(22)]
    assert [day["date"] for day in body["days"]] == [day.isoformat() for day in days]
    assert all([each["meter"] for each in day["usage"]] == [m.name for m in CATALOGUE] for day in body["days"])
    assert body["days"][0]["usage"][0] == {
        "meter": "sms.send",
        "displayName": "SMS Sent",
        "total": 3,
        "beforeSubscription": 0,
        "accepted": None,
        "carriedForward": None,
    }
    assert shown(answer) == {
        ("2026-05-30", "sms.send"): 3,
        ("2026-06-02", "sms.send"): 4,
        ("2026-06-20", "voice.ai"): 5,
    }


async def test_the_days_of_a_period_are_its_total(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given an anchor at midnight, the total of the current period is the sum of its days."""
    key = await folded.key("acme")
    await folded.account("acme", Account(anchor=unix("2026-01-05T00:00:00")))
    for day in range(1, 21):
        await folded.use("acme", "sms.send", day, unix(f"2026-06-{day:02}T{day:02}:30:00"))
    days = await api.get(DAILY, params={"start": "2026-06-05", "end": "2026-06-20"}, headers=bearer(key))
    current = await api.get("/api/billing/usage", headers=bearer(key))
    assert totals(current) == {"sms.send": sum(shown(days).values())} == {"sms.send": sum(range(5, 21))}


async def test_some_meters(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a meter, or several, only those are shown, in catalogue order whatever the order asked for."""
    headers = bearer(await folded.key("acme"))
    for asked in (["voice.ai"], ["voice.ai", "sms.send"]):
        answer = await api.get(DAILY, params={**WHOLE_JUNE, "meter": asked}, headers=headers)
        listed = [each["meter"] for each in answer.json()["days"][0]["usage"]]
        assert listed == [meter.name for meter in CATALOGUE if meter.name in asked]


async def test_what_came_before_the_subscription_is_told_apart(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a start within a day, the total excludes the buckets that ended before it."""
    key = await folded.key("acme")
    await folded.account("acme", Account(subscription_start=unix("2026-06-10T09:30:00")))
    for time, units in {"09T10:00": 1, "10T08:59": 2, "10T09:10": 4, "10T10:00": 8, "11T00:00": 16}.items():
        await folded.use("acme", "sms.send", units, unix(f"2026-06-{time}:00"))
    answer = await api.get(DAILY, params=WHOLE_JUNE, headers=bearer(key))
    assert shown(answer) == {("2026-06-10", "sms.send"): 12, ("2026-06-11", "sms.send"): 16}
    assert shown(answer, "beforeSubscription") == {("2026-06-09", "sms.send"): 1, ("2026-06-10", "sms.send"): 2}


async def test_what_stripe_has_accepted(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given rows that Stripe took, each counts on the day of its timestamp; null until the push log is folded."""
    key = await folded.key("acme")
    await folded.use("acme", "sms.send", 10, unix("2026-06-02T23:10:00"))
    await folded.bill("acme", "sms.send", 7, used=unix("2026-06-02T23:10:00"), stamped=unix("2026-06-02T23:00:00"))
    before = await api.get(DAILY, params=WHOLE_JUNE, headers=bearer(key))
    assert {each["accepted"] for day in before.json()["days"] for each in day["usage"]} == {None}
    await folded.push_log_ready("acme")
    after = await api.get(DAILY, params=WHOLE_JUNE, headers=bearer(key))
    assert shown(after, "accepted") == {("2026-06-02", "sms.send"): 7}
    assert {each["accepted"] for day in after.json()["days"] for each in day["usage"]} == {0, 7}


@pytest.mark.parametrize(
    "params",
    [
        {"start": "2026-06-02", "end": "2026-06-01"},
        {"start": "2026-04-11", "end": "2026-06-01"},
        {"start": "2026-06-01", "end": "2026-06-21"},
        {"start": "0001-01-01", "end": "9999-12-31"},
    ],
)
async def test_a_range_beyond_what_is_kept(api: httpx.AsyncClient, folded: Folded, params: dict[str, str]) -> None:
    """Given days in the wrong order, too old or in the future, the problem names the days that exist."""
    answer = await api.get(DAILY, params=params, headers=bearer(await folded.key("acme")))
    assert_problem(answer, 422, "validation_error")
    assert f"{EARLIEST} to 2026-06-20" in answer.json()["detail"]


async def test_the_whole_of_what_is_kept(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given the widest range, it is answered, with usage at both of its ends."""
    key = await folded.key("acme")
    await folded.use("acme", "sms.send", 1, unix(f"{EARLIEST}T00:00:00"))
    await folded.use("acme", "sms.send", 2, NOW)
    answer = await api.get(DAILY, params={"start": EARLIEST, "end": "2026-06-20"}, headers=bearer(key))
    assert shown(answer) == {(EARLIEST, "sms.send"): 1, ("2026-06-20", "sms.send"): 2}
    assert len(answer.json()["days"]) == 70


@pytest.mark.parametrize(
    ("params", "fault"),
    [
        ({}, "start is missing; end is missing."),
        ({"start": "2026-06-01"}, "end is missing."),
        ({**WHOLE_JUNE, "start": "1780272000"}, "start: a date looks like 2026-06-30."),
        ({**WHOLE_JUNE, "start": "20260601"}, "start: a date looks like"),
        ({**WHOLE_JUNE, "end": "2026-06-31"}, "end is not a day of the calendar."),
        ({**WHOLE_JUNE, "end": "2026-06-01T00:00:00Z"}, "end: a date looks like"),
        ({**WHOLE_JUNE, "meter": ["sms.send"] * 7}, "meter may be given 6 times at most."),
        ({**WHOLE_JUNE, "meters": "sms.send"}, "This address does not know the parameter 'meters'. It takes start, "),
        ({"from": "1", "to": "2"}, "This address does not know the parameter 'from', 'to'."),
        ({**WHOLE_JUNE, "meter": "fax"}, "meter: the meters are sms.send, "),
    ],
)
async def test_what_is_no_day_and_no_meter(
    api: httpx.AsyncClient, folded: Folded, params: dict[str, Any], fault: str
) -> None:
    """Given a text that is not a full date or a meter of the catalogue, the problem names the parameter."""
    answer = await api.get(DAILY, params=params, headers=bearer(await folded.key("acme")))
    assert_problem(answer, 422, "validation_error")
    assert answer.json()["detail"].startswith(fault)


async def test_csv(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given the address of the file, the same figures come as a file: RFC 4180, a line per day and meter."""
    headers = bearer(await folded.key("acme"))
    await folded.use("acme", "voice.ai", 5, unix("2026-06-19T11:59:59"))
    params = {"start": "2026-06-19", "end": "2026-06-20", "meter": ["voice.ai", "did.monthly"]}

    answer = await api.get(FILE, params=params, headers=headers)

    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="usage-2026-06-19-to-2026-06-20.csv"'
    assert answer.headers["x-usage-as-of"] == "2026-06-20T12:00:00.123Z"
    assert answer.text == (
        "date,meter,display_name,total,before_subscription,accepted,carried_forward\r\n"
        "2026-06-19,voice.ai,AI-Powered Calls,5,0,,\r\n"
        "2026-06-19,did.monthly,Monthly DID Fee,0,0,,\r\n"
        "2026-06-20,voice.ai,AI-Powered Calls,0,0,,\r\n"
        "2026-06-20,did.monthly,Monthly DID Fee,0,0,,\r\n"
    )
    rows = list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))
    assert tuple(rows[0]) == HEADER


def test_no_cell_is_a_formula() -> None:
    """Given a text that a spreadsheet would run, the cell only shows it."""
    assert [harmless(text) for text in ("=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx")] == [
        "'=1+1",
        "'+1",
        "'-1",
        "'@SUM(A1)",
        "'\tx",
        "'\rx",
    ]
    assert harmless("SMS Sent") == "SMS Sent"


async def test_the_etag_changes_with_the_figures(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given a later time the tag stays and the answer is 304; given one more unit the tag changes."""
    headers = bearer(await folded.key("acme"))
    await folded.use("acme", "sms.send", 1, NOW)
    first = await api.get(DAILY, params=WHOLE_JUNE, headers=headers)
    await folded.ready(as_of_ms=NOW * 1000 + 5_000)
    known = {**headers, "If-None-Match": first.headers["etag"]}
    later = await api.get(DAILY, params=WHOLE_JUNE, headers=known)
    await folded.use("acme", "sms.send", 1, NOW)
    more = await api.get(DAILY, params=WHOLE_JUNE, headers=known)
    assert first.headers["cache-control"] == "private, no-cache"
    assert (later.status_code, later.content) == (304, b"")
    assert later.headers["x-usage-as-of"] != first.headers["x-usage-as-of"]
    assert more.status_code == 200


async def test_a_request_takes_two_round_trips(settings: ApiSettings, folded: Folded) -> None:
    """Given an account with a record, the first request learns it; every later one asks for the key and the days."""
    store, headers = Interposed(folded.ledger.store), bearer(await folded.key("acme"))
    await folded.account("acme", Account(anchor=unix("2026-01-15T09:00:00")))
    async with calling(settings, store=store) as api:
        for _ in range(2):
            assert (await api.get(DAILY, params=WHOLE_JUNE, headers=headers)).status_code == 200
    assert store.ran == ["find_caller", "read_history", "read_history", "find_caller", "read_history"]
