"""The pages for people who change the code: every room is named, and every file that they name is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "internals").glob("*.md"))
PACKAGES = ("aggregator", "api", "bench", "ledger", "local", "metering", "ops", "runtime", "stripe_sync")
SCRIPTS = {"ledger/scripts/", "ledger/guards/"}
NAMED = re.compile(r"`((?:[\w-]+/)+[\w.-]*|docker-compose\.yml|pyproject\.toml)`")


def rooms() -> set[str]:
    """The folders that hold modules or scripts."""
    packages = {
        f"{module.parent.relative_to(ROOT)}/"
        for package in PACKAGES
        for module in (ROOT / package).rglob("__init__.py")
    }
    return packages | SCRIPTS | {"producers/telephony_billing_producers/"}


def test_the_file_map_has_every_room_once() -> None:
    """Given the folders, when the map is read, then it has a line for each of them, and no other."""
    lines = (ROOT / "docs" / "internals" / "file-map.md").read_text().splitlines()
    named = [line.split("`")[1] for line in lines if line.startswith("| `")]

    assert sorted(named) == sorted(rooms())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_exists(page: Path) -> None:
    """Given a page, when it names a file or a folder, then there is one."""
    named = NAMED.findall(page.read_text())

    assert named or page.stem == "README"
    assert [name for name in named if not (ROOT / name).exists()] == []
