"""A browser for each module, and for each test a window in it on an API with a ledger of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, async_playwright

from api.app import create_app
from tests.api.calling import settings_of
from tests.api.folded import folding
from tests.api.serving import serving
from tests.api.stripe_answers import OneAnswer
from tests.dashboard.browsing import CHROMIUM, Dashboard, find_chromium
from tests.dashboard.customer import Customer
from tests.support.midnight import clear_of_midnight

WAIT_MS = 10_000
TEST_SECONDS = 20.0  # no test here takes longer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[BrowserContext]:
    """Headless Chromium with one profile; without a Chromium on the PATH the tests are skipped."""
    program = find_chromium()
    if program is None:
        pytest.skip(f"there is no browser on this machine: looked for {', '.join(CHROMIUM)}")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = await chromium.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
        context.set_default_timeout(WAIT_MS)
        yield context
        await chromium.close()


@pytest.fixture(scope="module")
def stripe() -> Iterator[tuple[OneAnswer, str]]:
    """A Stripe and its address."""
    answer = OneAnswer(200)
    with serving(answer) as url:
        answer.body = f'{{"object":"billing_portal.session","url":"{url}/portal"}}'.encode()
        yield answer, url


@pytest.fixture
def one_day() -> None:
    """What a test counts from today on, the page counts from the same day on."""
    clear_of_midnight(TEST_SECONDS)


@pytest_asyncio.fixture(loop_scope="module")
async def dashboard(
    browser: BrowserContext, redis_url: str, redis_prefix: str, stripe: tuple[OneAnswer, str], one_day: None
) -> AsyncIterator[Dashboard]:
    """A window at the size of a laptop; the ledger is open and not ready, Stripe opens its portal."""
    answer, stripe_base = stripe
    answer.status = 200
    settings = settings_of(redis_url, redis_prefix, stripe_api_key="sk_test", stripe_api_base=stripe_base)
    async with folding(redis_url, redis_prefix) as ledger:
        with serving(create_app(settings)) as url:
            window = Dashboard(await browser.new_page(), url, Customer(ledger), answer)
            window.listen()
            yield window
            await window.page.close()
            await browser.clear_cookies()
            await browser.set_offline(offline=False)
