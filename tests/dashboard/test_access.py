"""Who can use the page: with a keyboard, with a screen reader, on a phone, in the dark; and that nobody else can."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from metering.meters import CATALOGUE
from tests.dashboard.browsing import Dashboard
from tests.dashboard.customer import DAYS_OLD

pytestmark = pytest.mark.asyncio(loop_scope="module")

PHONE = {"width": 360, "height": 740}
MANY = 1_000_000_000


async def violations(page: Page) -> str:
    """What axe finds wrong with the page as it stands; nothing is as it must be."""
    return str((await Axe().run(page)).generate_snapshot())


async def show_everything(dashboard: Dashboard) -> None:
    """Figures in every place of the page, long ones."""
    customer = dashboard.customer
    await customer.use("sms.receive", 5, DAYS_OLD + 5)
    for meter in CATALOGUE:
        await customer.use(meter.name, MANY, 1)
    await customer.bill("sms.send", MANY, 1)
    await customer.ready()
    await dashboard.sign_in()
    await dashboard.page.locator("#previous summary").first.click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing(dashboard: Dashboard, scheme: str) -> None:
    """Given each colour scheme, neither the form, with and without an error, nor the figures offend any rule of axe."""
    page = dashboard.page
    await page.emulate_media(color_scheme=scheme)
    await dashboard.customer.ready()
    await dashboard.open()
    assert await violations(page) == ""
    await dashboard.submit("tk_live_short")
    await expect(page.get_by_role("alert").filter(has_text="API key")).to_be_visible()
    assert await violations(page) == ""
    await show_everything(dashboard)
    await page.locator("#chart .day").nth(3).hover()
    assert await violations(page) == ""
    await page.get_by_role("button", name="Table").click()
    await dashboard.customer.recount()
    await dashboard.look_again()
    await expect(page.locator("#notice")).to_be_visible()
    assert await violations(page) == ""
    await page.reload()
    await expect(page.get_by_role("heading", name="Your totals are being recounted")).to_be_visible()
    assert await violations(page) == ""


async def test_the_dark_is_dark(dashboard: Dashboard) -> None:
    """Given a reader who likes it dark, the paper is dark, and light for the other one."""
    await dashboard.open()
    shades = {}
    for scheme in ("light", "dark"):
        await dashboard.page.emulate_media(color_scheme=scheme)
        shades[scheme] = await dashboard.page.evaluate(
            "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
        )
    assert shades["dark"] < 3 * 64 < 3 * 192 < shades["light"]


async def test_a_phone(dashboard: Dashboard) -> None:
    """Given a window of 360 pixels and totals of billions, nothing is wider than the window."""
    page = dashboard.page
    await page.set_viewport_size(PHONE)
    await dashboard.open()
    assert await dashboard.sideways() <= 0
    await show_everything(dashboard)
    await expect(page.locator("#chart .slot").first).to_be_visible()
    assert await dashboard.sideways() <= 0
    await page.get_by_role("button", name="Table").click()
    assert await dashboard.sideways() <= 0


async def test_with_the_keyboard_alone(dashboard: Dashboard) -> None:
    """Given no mouse, a customer signs in, goes through every control in the order of the page, and signs out."""
    await dashboard.customer.use("sms.send", 9, 1)
    await dashboard.customer.use("sms.send", 1)
    await dashboard.customer.ready()
    key = await dashboard.customer.key()
    page = dashboard.page
    await dashboard.open()
    await page.keyboard.insert_text(key)
    await page.keyboard.press("Enter")
    await expect(page.locator("#totals dd").first).to_have_text("10")
    for stop in ("#portal", "#meter", "#as-table", "#csv", ".day", "summary"):
        await page.keyboard.press("Tab")
        await expect(page.locator(f"{stop}:focus")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator("#previous details").first).to_have_attribute("open", "")
    await page.locator("#billing-title").focus()
    await page.keyboard.press("Shift+Tab")
    await expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("API key")).to_be_focused()


async def test_nothing_comes_from_elsewhere(dashboard: Dashboard) -> None:
    """Given the page's policy, the browser finds nothing that breaks it, and asks no other server for anything."""
    asked: list[str] = []
    dashboard.page.on("request", lambda request: asked.append(request.url))
    await show_everything(dashboard)
    await dashboard.page.get_by_role("button", name="Table").click()
    await expect(dashboard.page.locator("#chart-table table")).to_be_visible()
    assert dashboard.complaints == []
    assert [url for url in asked if not url.startswith(dashboard.url)] == []


async def test_the_policy_forbids_what_the_page_does_without(dashboard: Dashboard) -> None:
    """Given a script in the page's own text, the browser refuses to run it: the test above would notice."""
    await dashboard.open()
    await dashboard.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.body.append(script);
        }"""
    )
    assert await dashboard.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in complaint for complaint in dashboard.complaints)
