"""The documents, as Markdown's readers see them: headings with their anchors, links, blocks of code."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
PAGES = (
    *sorted(ROOT.glob("*.md")),
    ROOT / "producers" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
_NAMED_ANCHOR = re.compile(r'<a id="([^"]+)">')


@cache
def tokens(page: Path) -> tuple[Token, ...]:
    """What a page consists of, in order."""
    return tuple(MarkdownIt("commonmark").enable("table").parse(page.read_text()))


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@cache
def anchors(page: Path) -> tuple[str, ...]:
    """Where a link can lead to in a page: its headings, and what carries an id."""
    parts = tokens(page)
    headings = [anchor(_text(after)) for token, after in pairwise(parts) if token.type == "heading_open"]
    return (*headings, *_NAMED_ANCHOR.findall(page.read_text()))


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures, as they are written."""
    for token in tokens(page):
        for child in token.children or ():
            target = child.attrGet("href") or child.attrGet("src")
            if target is not None:
                yield str(target)


def spans(page: Path) -> list[str]:
    """What stands in backticks in a page's text."""
    return [child.content for token in tokens(page) for child in token.children or () if child.type == "code_inline"]


def sources(*endings: str) -> Iterator[Path]:
    """The checkout's files with these endings, apart from what is installed or made in it."""
    for entry in sorted(ROOT.iterdir()):
        if not entry.name.startswith("."):
            yield from (path for path in (entry, *entry.rglob("*")) if path.name.endswith(endings) and _ours(path))


def name(page: Path) -> str:
    """From the repository's root on."""
    return str(page.relative_to(ROOT))


def _ours(path: Path) -> bool:
    return path.is_file() and "node_modules" not in path.parts


def _text(heading: Token) -> str:
    return "".join(child.content for child in heading.children or ())
