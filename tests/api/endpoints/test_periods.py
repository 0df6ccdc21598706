"""GET /api/billing/periods: the current period, and earlier ones whose units are all kept."""

from typing import Any

import httpx
import pytest

from api.reading.ranges import KEPT_DAYS, shown_periods
from api.settings import ApiSettings
from metering.account import Account
from tests.api.calling import NOW, PERIODS, USAGE, Interposed, bearer, calling, unix
from tests.api.folded import Folded


def column(period: dict[str, Any], what: str, meter: str = "sms.send") -> int | None:
    """One figure of one meter."""
    (found,) = [each[what] for each in period["usage"] if each["meter"] == meter]
    return found


async def test_periods_are_shown_latest_first(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given usage in four calendar months, the current one and the one that is kept whole are shown."""
    key = await folded.key("acme")
    for month, units in ((3, 1), (4, 2), (5, 4), (6, 8)):
        await folded.use("acme", "sms.send", units, unix(f"2026-{month:02}-15T12:00:00"))
    answer = await api.get(PERIODS, headers=bearer(key))
    body = answer.json()
    assert list(body) == ["period", "periods", "asOf"]
    assert body["asOf"] == answer.headers["x-usage-as-of"] == "2026-06-20T12:00:00.123Z"
    assert [(each["start"], each["end"]) for each in body["periods"]] == [
        ("2026-06-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z"),
    ]
    assert body["period"] == {"start": "2026-06-01T00:00:00Z", "end": "2026-07-01T00:00:00Z"}
    assert [column(each, "total") for each in body["periods"]] == [8, 4]
    assert list(body["periods"][0]["usage"][0]) == [
        *("meter", "displayName", "total", "beforeSubscription", "accepted", "carriedForward")
    ]


async def test_the_current_period_has_the_usage_endpoints_totals(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given an anchor in the middle of a day and a subscription start, both endpoints agree."""
    key = await folded.key("acme")
    start = unix("2026-06-18T10:20:00")
    await folded.account("acme", Account(anchor=unix("2026-01-18T09:00:00"), subscription_start=start))
    for time, units in {"18T08:00": 1, "18T09:00": 2, "18T10:00": 4, "18T11:00": 8, "19T00:00": 16}.items():
        await folded.use("acme", "sms.send", units, unix(f"2026-06-{time}:00"))
    current, before, _ = (await api.get(PERIODS, headers=bearer(key))).json()["periods"]
    usage = (await api.get(USAGE, headers=bearer(key))).json()["usage"]
    assert [(each["meter"], each["total"]) for each in current["usage"]] == [
        (each["meter"], each["total"]) for each in usage
    ]
    assert (column(current, "total"), column(current, "beforeSubscription")) == (28, 2)
    assert (column(before, "total"), column(before, "beforeSubscription")) == (0, 1)


async def test_what_stripe_has_accepted(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given rows on both sides of a period's start, each counts in the period of its timestamp; null until known."""
    key = await folded.key("acme")
    start = unix("2026-06-18T09:00:00")
    await folded.account("acme", Account(anchor=start, customer="cus_1"))
    old, new = start - 3600, start
    await folded.use("acme", "sms.send", 10, old)
    await folded.use("acme", "sms.send", 20, new)
    await folded.bill("acme", "sms.send", 3, used=old, stamped=old)
    await folded.bill("acme", "sms.send", 5, used=new, stamped=new)
    await folded.bill("acme", "sms.send", 7, used=old, stamped=start, start=3)
    unknown = (await api.get(PERIODS, headers=bearer(key))).json()["periods"]
    assert [column(each, "accepted") for each in unknown] == [None] * 3
    await folded.push_log_ready("acme")
    current, before, _ = (await api.get(PERIODS, headers=bearer(key))).json()["periods"]
    assert (column(current, "total"), column(current, "accepted")) == (20, 12)
    assert (column(before, "total"), column(before, "accepted")) == (10, 3)
    assert column(current, "accepted", "voice.ai") == 0


@pytest.mark.parametrize("anchor", [None, unix("2026-01-31T23:00:00"), unix("2026-02-10T12:00:00")])
def test_only_periods_that_are_kept_whole_are_shown(anchor: int | None) -> None:
    """Given any hour of half a year, periods follow each other without gaps, and none begins before the window."""
    for now in range(NOW, NOW + 180 * 86_400, 3600):
        shown = shown_periods(now, anchor)
        assert shown[0].contains(now)
        assert [period.end for period in shown[1:]] == [period.start for period in shown[:-1]]
        assert all(period.start >= now - KEPT_DAYS * 86_400 for period in shown)
        assert 2 <= len(shown) <= 3


async def test_a_known_etag_is_answered_without_a_body(api: httpx.AsyncClient, folded: Folded) -> None:
    """Given the same figures at a later moment, 304; given what Stripe has accepted in addition, the whole body."""
    headers = bearer(await folded.key("acme"))
    first = await api.get(PERIODS, headers=headers)
    known = {**headers, "If-None-Match": first.headers["etag"]}
    await folded.ready(as_of_ms=NOW * 1000 + 5_000)
    assert (await api.get(PERIODS, headers=known)).status_code == 304
    await folded.push_log_ready("acme")
    assert (await api.get(PERIODS, headers=known)).status_code == 200
    assert first.headers["cache-control"] == "private, no-cache"


async def test_a_request_takes_two_round_trips(settings: ApiSettings, folded: Folded) -> None:
    """One for the key, one for everything else, once the account's record is known."""
    store, headers = Interposed(folded.ledger.store), bearer(await folded.key("acme"))
    async with calling(settings, store=store) as api:
        assert (await api.get(PERIODS, headers=headers)).status_code == 200
    assert store.ran == ["find_caller", "read_history"]
