"""The documented exit codes are the ones that processes end with."""

import re
from pathlib import Path

from runtime import exit_codes
from runtime.settings import GIVE_UP_SECONDS
from runtime.watchdog import AWAKE_SECONDS, SILENT_SECONDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "exit-codes.md").read_text()
ROOMS = ("aggregator", "api", "ledger", "local/demo", "local/stack", "local/stripe", "ops", "runtime", "stripe_sync")
_LITERAL = re.compile(r"\b(?:_?exit|Exit)\((?:code=)?\d")


def test_the_page_lists_the_codes_that_there_are() -> None:
    """Each once, in order."""
    documented = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]
    existing = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert documented == sorted(existing)


def test_nobody_ends_with_a_number_of_its_own() -> None:
    """They are written once."""
    found = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        for line in file.read_text().splitlines()
        if _LITERAL.search(line)
    ]
    assert found == []


def test_the_page_says_when_a_process_gives_up() -> None:
    """With the numbers that hold."""
    assert f"`BILLING_GIVE_UP_SECONDS`** ({GIVE_UP_SECONDS:g})" in PAGE
    assert f"After {SILENT_SECONDS:g} s of silence" in PAGE
    assert f"first gets {AWAKE_SECONDS:g} s" in PAGE
