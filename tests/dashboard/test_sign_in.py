"""Signing in with a key, staying signed in, and the ends of a session."""

import asyncio
from random import Random

import httpx
import pytest
from playwright.async_api import Route, expect

from metering.api_key import make_api_key
from tests.dashboard.browsing import PAGE, Dashboard
from tests.dashboard.customer import ACCOUNT

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION_SECONDS = 12 * 3600
UNKNOWN_KEY = make_api_key(Random(3).choice)  # noqa: S311 - opens nothing


async def test_a_key_opens_a_session(dashboard: Dashboard) -> None:
    """Given a key, the page says whose account it is, and a reload asks for nothing."""
    await dashboard.customer.ready()
    await dashboard.open()
    await dashboard.submit(await dashboard.customer.key())
    await expect(dashboard.page.get_by_text(ACCOUNT)).to_be_visible()
    await expect(dashboard.page.get_by_role("heading", level=1)).to_be_focused()
    await dashboard.page.reload()
    await expect(dashboard.page.get_by_role("heading", name="Usage and billing")).to_be_visible()


async def test_the_key_stays_nowhere(dashboard: Dashboard) -> None:
    """Given a signed-in customer, the key is in no address, no element, no storage, and no script sees the cookie."""
    await dashboard.customer.ready()
    key = await dashboard.customer.key()
    await dashboard.open()
    await dashboard.submit(key)
    page = dashboard.page
    await expect(page.get_by_text(ACCOUNT)).to_be_visible()
    seen = await page.evaluate(
        """() => [document.documentElement.outerHTML, document.cookie, location.href,
                  JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}),
                  ...[...document.querySelectorAll("input")].map(each => each.value),
                  JSON.stringify(history.state)].join("|")"""
    )
    assert key not in seen
    assert key.removeprefix("tk_live_") not in seen
    (cookie,) = await page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    left = cookie["expires"] - dashboard.customer.now
    assert SESSION_SECONDS - 60 < left < SESSION_SECONDS + 2 * 3600
    assert cookie["value"] not in seen
    assert key not in cookie["value"]


@pytest.mark.parametrize(
    ("key", "told"),
    [("tk_live_short", "from tk_live_ to its last character"), (UNKNOWN_KEY, "unknown or was revoked")],
    ids=["malformed", "unknown"],
)
async def test_a_key_that_opens_nothing(dashboard: Dashboard, key: str, told: str) -> None:
    """Given a wrong key, the form says what is wrong with it and takes the next one."""
    await dashboard.customer.ready()
    await dashboard.open()
    await dashboard.submit(key)
    await expect(dashboard.page.get_by_role("alert").filter(has_text=told)).to_be_visible()
    field = dashboard.page.get_by_label("API key")
    await expect(field).to_be_focused()
    await expect(field).to_have_attribute("aria-invalid", "true")
    assert key not in dashboard.page.url


async def test_too_many_attempts(dashboard: Dashboard) -> None:
    """Given an address that has guessed too often, the form says when to try again, even with the right key."""
    await dashboard.customer.ready()
    key = await dashboard.customer.key()
    async with httpx.AsyncClient(base_url=dashboard.url) as client:
        guesses = [client.post("/dashboard/session", json={"key": UNKNOWN_KEY}) for _ in range(20)]
        assert {answer.status_code for answer in await asyncio.gather(*guesses)} == {401}
    await dashboard.open()
    await dashboard.submit(key)
    await expect(dashboard.page.get_by_text("Too many attempts. Try again in 5 minutes.")).to_be_visible()


async def test_a_revoked_key_ends_its_sessions(dashboard: Dashboard) -> None:
    """Given a key that is revoked meanwhile, the page returns to the form, says why, and forgets what it showed."""
    await dashboard.customer.use("sms.send", 4321)
    await dashboard.customer.ready()
    key = await dashboard.sign_in()
    await expect(dashboard.page.get_by_text("4,321").first).to_be_visible()
    await dashboard.customer.ledger.revoke(key)
    await dashboard.look_again()
    await expect(dashboard.page.get_by_text("Your session has ended")).to_be_visible()
    await expect(dashboard.page.get_by_label("API key")).to_be_focused()
    assert "4,321" not in await dashboard.page.content()


async def test_signing_out(dashboard: Dashboard) -> None:
    """Given a customer who signs out, the cookie is gone, and so it is for the next one at this browser."""
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await dashboard.page.get_by_role("button", name="Sign out").click()
    await expect(dashboard.page.get_by_label("API key")).to_be_visible()
    assert await dashboard.page.context.cookies() == []
    await dashboard.page.reload()
    await expect(dashboard.page.get_by_label("API key")).to_be_visible()
    await expect(dashboard.page.get_by_text("Your session has ended")).to_be_hidden()


async def test_a_form_that_was_sent_before_the_script_ran(dashboard: Dashboard) -> None:
    """Given the address that a refused form is led to, the form says why, and the address is clean again."""
    await dashboard.page.goto(f"{dashboard.url}/dashboard?problem=invalid_api_key")
    await expect(dashboard.page.get_by_role("alert").filter(has_text="unknown or was revoked")).to_be_visible()
    assert dashboard.page.url == dashboard.url + PAGE


async def test_a_session_that_the_server_has_lost(dashboard: Dashboard) -> None:
    """Given a cookie that the server does not know any more, the form says that the session has ended."""
    await dashboard.customer.ready()
    cookie = {"name": "billing_session", "value": f"0.{'x' * 43}", "url": dashboard.url}
    await dashboard.page.context.add_cookies([cookie])
    await dashboard.open()
    await expect(dashboard.page.get_by_text("Your session has ended")).to_be_visible()


async def test_somebody_else_signs_in_in_another_tab(dashboard: Dashboard) -> None:
    """Given a browser whose session becomes another account's, the page shows that account's numbers under its name."""
    await dashboard.customer.use("sms.send", 4321)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await expect(dashboard.page.get_by_text("4,321").first).to_be_visible()
    key = await dashboard.customer.ledger.key("acct_other")
    await dashboard.page.context.request.post(f"{dashboard.url}/dashboard/session", data={"key": key})
    await dashboard.look_again()
    await expect(dashboard.page.get_by_text("acct_other")).to_be_visible()
    await expect(dashboard.page.locator("#totals dd").first).to_have_text("0")
    assert "4,321" not in await dashboard.page.content()


async def test_a_browser_without_cookies(dashboard: Dashboard) -> None:
    """Given a browser that drops the session's cookie, the form says so instead of asking again without a word."""
    await dashboard.customer.ready()
    await dashboard.open()
    await dashboard.page.route("**/dashboard/session", _without_cookie)
    await dashboard.submit(await dashboard.customer.key())
    await expect(dashboard.page.get_by_text("Allow cookies of this page")).to_be_visible()


async def _without_cookie(route: Route) -> None:
    if route.request.method == "POST":
        await route.fulfill(status=204)
    else:
        await route.continue_()
