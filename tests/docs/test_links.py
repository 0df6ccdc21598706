"""Every link of the documents, and every page that a message of the product names, is there, and so is its anchor."""

import re
from pathlib import Path

import pytest

from metering.troubles.catalogue import TROUBLES
from metering.troubles.names import Trouble
from tests.docs.pages import PAGES, ROOT, anchors, links, name, sources

MENTIONED = re.compile(r"\bdocs/[\w./-]+?\.md(?:#[\w-]+)?")
ELSEWHERE = re.compile(r"[a-z]+:")
WRITTEN = (".py", ".lua", ".md", ".toml", ".yml", ".json", ".html", ".js", "Makefile", "Dockerfile")


def fault(target: str, base: Path) -> str | None:
    """Why a link leads nowhere; None if it is as it should be."""
    path, _, wanted = target.partition("#")
    page = (base / path).resolve() if path else base
    if not page.exists():
        return f"{target}: there is no such file"
    if wanted and wanted not in anchors(page):
        return f"{target}: there is no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Given a page, when it links to a file or a heading of ours, then there is one."""
    ours = [target for target in links(page) if not ELSEWHERE.match(target)]
    faults = [fault(target, page.parent if not target.startswith("#") else page) for target in ours]

    assert [found for found in faults if found] == []


def test_every_page_that_is_named_exists() -> None:
    """Given a message, a comment or a page, when it names a document from the root on, then there is one."""
    named = {(file, target) for file in sources(*WRITTEN) for target in MENTIONED.findall(file.read_text())}
    faults = [f"{name(file)}: {found}" for file, target in sorted(named) if (found := fault(target, ROOT))]

    assert len(named) > 20
    assert faults == []


@pytest.mark.parametrize("trouble", Trouble)
def test_each_trouble_leads_to_a_section(trouble: Trouble) -> None:
    """Given what `billing status` shows, when it says where there is more, then there is."""
    assert fault(TROUBLES[trouble].link, ROOT) is None


@pytest.mark.parametrize("page", [page for page in PAGES if name(page) != "CHANGELOG.md"], ids=name)
def test_anchors_are_unambiguous(page: Path) -> None:
    """Given a page, then no two headings of it have one name: links would tell them apart by a number."""
    assert len(anchors(page)) == len(set(anchors(page)))


def test_every_page_can_be_reached() -> None:
    """Given the README, when a reader follows links, then every page is found."""
    found, ahead = set[Path](), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        found.add(page)
        targets = {(page.parent / target.partition("#")[0]).resolve() for target in links(page) if ":" not in target}
        ahead += [target for target in targets if target in PAGES and target not in found]

    assert [name(page) for page in PAGES if page not in found] == []
