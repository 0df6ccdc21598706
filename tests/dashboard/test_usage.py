"""What a signed-in customer sees: totals, days, periods, what has reached Stripe; and the ways out of the page."""

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.async_api import expect

from metering.account import Account
from metering.meters import CATALOGUE
from tests.dashboard.browsing import Dashboard
from tests.dashboard.customer import ACCOUNT, DAY, DAYS_OLD, real_ms

pytestmark = pytest.mark.asyncio(loop_scope="module")

DAYS = DAYS_OLD + 1  # the period begins inside a day
PACE_MS = 10_000
FAST = """
window.pauses = [];
const real = setTimeout;
window.setTimeout = (act, ms) => { window.pauses.push(ms); return real(act, ms / 50); };
"""


async def test_the_six_totals_in_the_catalogues_order(dashboard: Dashboard) -> None:
    """Given usage of two meters, all six are shown by their display names, the numbers as the reader writes them."""
    await dashboard.customer.use("sms.send", 1_234_567, 2)
    await dashboard.customer.use("voice.ai", 12)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await expect(dashboard.page.locator("#totals dd").first).to_have_text("1,234,567")
    totals = await dashboard.totals()
    assert list(totals) == [meter.display_name for meter in CATALOGUE]
    assert totals["AI-Powered Calls"] == "12"


async def test_the_period_and_what_is_left_of_it(dashboard: Dashboard) -> None:
    """Given a period that began ten days ago, its dates, the days left and the freshness stand at the top."""
    await dashboard.customer.ready(as_of_ms=real_ms() + 60_000)  # however long the browser takes, no moment ago
    await dashboard.sign_in()
    period = dashboard.customer.period
    left = -(-(period.end - dashboard.customer.now) // DAY)
    await expect(dashboard.page.locator("#period")).to_contain_text(f"{left} days left")
    end = datetime.fromtimestamp(period.end, UTC)
    await expect(dashboard.page.locator("#period")).to_contain_text(f"{end.day} {end:%B %Y}")
    await expect(dashboard.page.locator("#freshness")).to_have_text("As of just now")


async def test_new_usage_appears_by_itself(dashboard: Dashboard) -> None:
    """Given a page that is left alone, it asks every ten seconds; what is the same is not sent again."""
    await dashboard.customer.use("sms.send", 5, 1)
    await dashboard.customer.ready()
    page, statuses = dashboard.page, list[int]()
    page.on("response", lambda answer: statuses.append(answer.status) if answer.url.endswith("/periods") else None)
    await page.add_init_script(FAST)
    await dashboard.sign_in()
    first = page.locator("#totals dd").first
    await expect(first).to_have_text("5")
    await page.wait_for_event("response", lambda answer: answer.status == 304)
    await dashboard.customer.use("sms.send", 2)
    await expect(first).to_have_text("7")
    assert statuses[:2] == [200, 304]
    assert PACE_MS in await page.evaluate("window.pauses")


async def test_the_chart_from_the_keyboard(dashboard: Dashboard) -> None:
    """Given ten days, the chart is one tab stop, the arrow keys go from day to day, and each says its number."""
    await dashboard.customer.use("sms.send", 40, 3)
    await dashboard.customer.use("sms.send", 60)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    page = dashboard.page
    await expect(page.locator("#chart .day[tabindex='0']")).to_have_count(1)
    await page.locator("#chart .day[tabindex='0']").focus()
    for _ in range(DAYS - 1):
        await page.keyboard.press("ArrowRight")
    await expect(page.locator("#chart .day:focus")).to_have_attribute("aria-label", re.compile(", so far: 60$"))
    await expect(page.locator("#chart-value")).to_have_text("60")
    for _ in range(3):
        await page.keyboard.press("ArrowLeft")
    await expect(page.locator("#chart-value")).to_have_text("40")
    await page.keyboard.press("Home")
    await expect(page.locator("#chart-value")).to_have_text("0")
    await page.get_by_role("button", name="Table").focus()
    await expect(page.locator("#chart-value")).to_have_text("100")


async def test_the_chart_as_a_table_by_meter(dashboard: Dashboard) -> None:
    """Given two meters, the chart begins with the one that was used, and the table tells the same days."""
    await dashboard.customer.use("voice.inbound", 8, 4)
    await dashboard.customer.use("voice.ai", 9, 1)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    page = dashboard.page
    await expect(page.get_by_label("Meter")).to_have_value("voice.inbound")
    await page.get_by_role("button", name="Table").click()
    await expect(page.locator("#chart")).to_be_hidden()
    cells = page.locator("#chart-table tbody td")
    await expect(cells).to_have_count(DAYS)
    assert [int(text) for text in await cells.all_inner_texts() if text != "0"] == [8]
    await page.get_by_label("Meter").select_option(label="AI-Powered Calls")
    assert (await cells.all_inner_texts())[-2] == "9"


async def test_the_days_as_a_file(dashboard: Dashboard, tmp_path: Path) -> None:
    """Given usage on two days, the CSV holds every day and meter of the period up to today."""
    await dashboard.customer.use("sms.send", 40, 3)
    await dashboard.customer.use("sms.send", 60)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    async with dashboard.page.expect_download() as downloading:
        await dashboard.page.get_by_role("button", name="Download CSV").click()
    download = await downloading.value
    assert download.suggested_filename.startswith("usage-20")
    await download.save_as(tmp_path / "usage.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "usage.csv").read_text())))
    assert len(rows) == DAYS * len(CATALOGUE)
    assert [int(row["total"]) for row in rows if row["total"] != "0"] == [40, 60]


async def test_what_has_reached_stripe(dashboard: Dashboard) -> None:
    """Given 30 of 50 units delivered, the page says so only once the push log has been read."""
    customer = dashboard.customer
    await customer.use("sms.send", 30, 2)
    await customer.bill("sms.send", 30, 2)
    await customer.use("sms.send", 20)
    await customer.ready()
    await dashboard.sign_in()
    row = dashboard.page.locator("#stripe tbody tr").first
    await expect(row).to_contain_text("Not known yet")
    await customer.ledger.push_log_ready(ACCOUNT)
    await dashboard.look_again()
    await expect(row.locator("td")).to_contain_text(["50", "30"])


async def test_previous_periods(dashboard: Dashboard) -> None:
    """Given usage before the period, it stands under the previous one, which stays open when the page asks again."""
    await dashboard.customer.use("sms.receive", 77, DAYS_OLD + 5)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    previous = dashboard.page.locator("#previous details").first
    await expect(previous.locator("summary")).to_contain_text("77 SMS Received")
    await previous.locator("summary").click()
    await dashboard.customer.use("sms.send", 1)
    await dashboard.look_again()
    await expect(dashboard.page.locator("#totals dd").first).to_have_text("1")
    await expect(previous.get_by_role("row", name="SMS Received")).to_contain_text("77")


async def test_the_way_to_stripes_portal(dashboard: Dashboard) -> None:
    """Given a customer at Stripe, the button leads to a fresh portal session."""
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await dashboard.page.get_by_role("button", name="Invoices and payment").click()
    await dashboard.page.wait_for_url("**/portal")


async def test_no_portal_without_a_stripe_customer(dashboard: Dashboard) -> None:
    """Given an account that is not set up at Stripe, the page says so kindly and stays."""
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await dashboard.customer.ledger.account(ACCOUNT, Account())
    await dashboard.page.get_by_role("button", name="Invoices and payment").click()
    await expect(dashboard.page.get_by_role("alert").filter(has_text="there are no invoices")).to_be_visible()


async def test_no_portal_while_stripe_is_in_trouble(dashboard: Dashboard) -> None:
    """Given a Stripe that fails, the page says that it is for now, and the button works again later."""
    await dashboard.customer.ready()
    await dashboard.sign_in()
    dashboard.stripe.status = 500
    await dashboard.page.get_by_role("button", name="Invoices and payment").click()
    await expect(dashboard.page.get_by_role("alert").filter(has_text="Try again in a few seconds")).to_be_visible()
    dashboard.stripe.status = 200
    await dashboard.page.get_by_role("button", name="Invoices and payment").click()
    await dashboard.page.wait_for_url("**/portal")
