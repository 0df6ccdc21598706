"""`make picture`: the dashboard of a stack with demo traffic, as the README shows it."""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import ViewportSize, async_playwright, expect

from local.demo.accounts import DOCS_ACCOUNT
from tests.dashboard.browsing import PAGE, find_chromium
from tests.support.stack import booted

PICTURE = Path(__file__).parents[2] / "docs" / "dashboard.png"
SIZE = ViewportSize(width=1100, height=620)


async def take(url: str, key: str, picture: Path) -> None:
    """Signs in with a key, and keeps what the window shows once the totals are there."""
    program = find_chromium() or sys.exit("there is no browser here")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await chromium.new_page(locale="en-GB", viewport=SIZE)
        await page.goto(url + PAGE)
        await page.get_by_label("API key").fill(key)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.locator("#totals dd").first).to_have_text("1,250")
        await page.wait_for_load_state("networkidle")
        await page.screenshot(path=picture)
        await chromium.close()


def main() -> None:
    """Starts a stack of its own."""
    with TemporaryDirectory() as directory, booted(Path(directory)) as stack:
        asyncio.run(take(stack.env["BILLING_API_URL"], stack.description["api_keys"][DOCS_ACCOUNT], PICTURE))


if __name__ == "__main__":
    main()
