"""Totals of many digits: none is clipped, and the whole number is in reach."""

from collections.abc import Mapping

import pytest
from playwright.async_api import Route, expect

from tests.dashboard.browsing import Dashboard

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What lies outside of its own box or of the list is read as a smaller number.
CLIPPED = """
[...document.querySelectorAll("#totals > div")].filter((box) =>
  [...box.querySelectorAll("dt, dd, button")].some((each) => {
    const [inner, outer] = [each.getBoundingClientRect(), box.getBoundingClientRect()];
    const wide = each.clientWidth && each.scrollWidth > each.clientWidth + 1;
    return wide || inner.right > outer.right || inner.left < outer.left;
  })).length
"""


@pytest.mark.parametrize("width", [320, 360, 700, 1024, 1440])
async def test_no_total_is_clipped(dashboard: Dashboard, width: int) -> None:
    """Given totals of 8, 9, 11 and 13 digits, each fits its place at any width, and is whole once it is focused."""
    page = dashboard.page
    totals = {"sms.send": 99_999_999, "sms.receive": 199_999_999, "voice.ai": 98_765_432_100}
    long = 9_876_543_219_999
    await page.route("**/api/billing/periods", lambda route: _enlarge(route, {**totals, "did.monthly": long}))
    await dashboard.customer.use("sms.send", 1)
    await dashboard.customer.ready()
    await page.set_viewport_size({"width": width, "height": 800})
    await dashboard.sign_in()
    shown = page.locator("#totals dd")
    await expect(shown.first).to_have_text("99,999,999")
    await expect(shown.nth(1).locator("button > span").first).to_have_text("199.99m")
    last = shown.last.locator("button")
    await expect(last).to_have_attribute("title", "9,876,543,219,999")
    await expect(last.locator("span").first).to_have_text("9.87tn")
    assert await page.evaluate(CLIPPED) == 0
    await last.focus()
    await expect(last.locator("span").last).to_be_visible()
    assert await page.evaluate(CLIPPED) == 0
    assert await dashboard.sideways() <= 0
    assert dashboard.complaints == []


async def _enlarge(route: Route, totals: Mapping[str, int]) -> None:
    """The API's own answer, with totals that take a year to count."""
    answer = await route.fetch()
    if answer.status != 200:
        await route.fulfill(response=answer)
        return
    body = await answer.json()
    for each in body["periods"][0]["usage"]:
        each["total"] = totals.get(each["meter"], each["total"])
    await route.fulfill(response=answer, json=body)
