"""The billing page in a browser, and what the browser had to say about it."""

import re
import shutil
from dataclasses import dataclass, field

from playwright.async_api import ConsoleMessage, Page, expect

from tests.api.stripe_answers import OneAnswer
from tests.dashboard.customer import Customer

PAGE = "/dashboard/billing"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
expect.set_options(timeout=10_000)  # the machine may be busy
EXPECTED_FAILURES = re.compile("Failed to load resource")  # Chromium notes every answer of 400 and above


def find_chromium() -> str | None:
    """The program of this machine's Chromium; None where it has none."""
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@dataclass
class Dashboard:
    """One browser window on the page of one API. `complaints` are errors of scripts and broken policies."""

    page: Page
    url: str
    customer: Customer
    stripe: OneAnswer
    complaints: list[str] = field(default_factory=list)

    def listen(self) -> None:
        """Notes complaints from now on."""
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not EXPECTED_FAILURES.search(message.text):
            self.complaints.append(message.text)

    async def open(self) -> None:
        """Goes to the page and waits until it knows whether anyone is signed in."""
        await self.page.goto(self.url + PAGE)
        await expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    async def submit(self, key: str) -> None:
        """Signs in with a key, as far as the page lets it."""
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Sign in").click()

    async def sign_in(self) -> str:
        """Opens the page in a browser that has a session of the customer already; the key that it was opened with."""
        key = await self.customer.key()
        answer = await self.page.context.request.post(f"{self.url}/dashboard/session", data={"key": key})
        assert answer.ok
        await self.open()
        await expect(self.page.get_by_role("heading", name="Usage and billing")).to_be_visible()
        return key

    async def look_again(self) -> None:
        """Comes back to the tab: the page asks at once instead of at its next turn."""
        await self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    async def totals(self) -> dict[str, str]:
        """The totals that are shown, by display name."""
        names = await self.page.locator("#totals dt").all_inner_texts()
        return dict(zip(names, await self.page.locator("#totals dd").all_inner_texts(), strict=True))

    async def sideways(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(await self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))
