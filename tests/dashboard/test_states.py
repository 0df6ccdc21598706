"""The page while there is nothing to show, or nothing new: recounting, empty, stale, cut off."""

import pytest
from playwright.async_api import expect

from tests.dashboard.browsing import PAGE, Dashboard
from tests.dashboard.customer import DAY, real_ms

pytestmark = pytest.mark.asyncio(loop_scope="module")

RECOUNTED = "Your totals are being recounted"


async def test_totals_that_are_being_recounted(dashboard: Dashboard) -> None:
    """Given shards that are not ready any more, no number is shown to a newcomer, until all of it is there again."""
    await dashboard.customer.use("sms.send", 250)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await dashboard.customer.recount()
    await dashboard.page.goto(dashboard.url + PAGE)
    await expect(dashboard.page.get_by_role("heading", name=RECOUNTED)).to_be_visible()
    await expect(dashboard.page.locator("#figures")).to_be_hidden()
    await dashboard.customer.ready()
    await expect(dashboard.page.locator("#totals dd").first).to_have_text("250")


async def test_a_recount_under_the_readers_eyes(dashboard: Dashboard) -> None:
    """Given figures on the page, a recount leaves them there and says that they are old, until they go on."""
    await dashboard.customer.use("sms.send", 250)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    first = dashboard.page.locator("#totals dd").first
    await expect(first).to_have_text("250")
    await dashboard.customer.recount()
    await dashboard.look_again()
    notice = dashboard.page.locator("#notice")
    await expect(notice).to_contain_text(RECOUNTED)
    await expect(dashboard.page.get_by_role("status")).to_contain_text(RECOUNTED)
    await expect(first).to_have_text("250")
    await dashboard.customer.ready()
    await expect(notice).to_be_hidden()


async def test_nothing_used_yet(dashboard: Dashboard) -> None:
    """Given an account without usage, six zeros and a word instead of an empty chart."""
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await expect(dashboard.page.get_by_role("heading", name="Nothing has been used yet")).to_be_visible()
    assert set((await dashboard.totals()).values()) == {"0"}
    await expect(dashboard.page.locator("#daily")).to_be_hidden()


async def test_counting_that_is_behind(dashboard: Dashboard) -> None:
    """Given totals of five minutes ago, the page says how old they are and warns."""
    await dashboard.customer.use("sms.send", 250)
    await dashboard.customer.ready(as_of_ms=real_ms() - 300_000)
    await dashboard.sign_in()
    await expect(dashboard.page.locator("#freshness")).to_have_text("As of 5 minutes ago")
    await expect(dashboard.page.locator("#notice")).to_contain_text("Counting is behind")


async def test_a_wrong_clock_on_the_readers_side(dashboard: Dashboard) -> None:
    """Given a computer that is three days ahead, fresh totals are still fresh: ages are told by the server's clock."""
    await dashboard.customer.ready()
    await dashboard.page.add_init_script(f"const real = Date.now; Date.now = () => real() + {3 * DAY * 1000}")
    await dashboard.sign_in()
    await expect(dashboard.page.locator("#freshness")).to_contain_text("As of")
    await expect(dashboard.page.locator("#freshness")).not_to_contain_text("day")
    await expect(dashboard.page.locator("#notice")).to_be_hidden()


async def test_a_server_that_is_out_of_reach(dashboard: Dashboard) -> None:
    """Given a connection that breaks, the figures stay with a word on it, and go on by themselves."""
    await dashboard.customer.use("sms.send", 250)
    await dashboard.customer.ready()
    await dashboard.sign_in()
    await expect(dashboard.page.locator("#totals dd").first).to_have_text("250")
    await dashboard.page.context.set_offline(True)
    await dashboard.look_again()
    await expect(dashboard.page.locator("#notice")).to_contain_text("The server")
    await dashboard.page.context.set_offline(False)
    await dashboard.look_again()
    await expect(dashboard.page.locator("#notice")).to_be_hidden()
    await expect(dashboard.page.locator("#totals dd").first).to_have_text("250")
