"""The table in docs/operations.md is the list, and each line leads to a section that is there."""

import re
from pathlib import Path

import pytest

from metering.troubles.catalogue import TROUBLES
from metering.troubles.entry import TroubleEntry, anchor
from metering.troubles.names import Trouble

PAGE = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
HEADINGS = re.findall(r"^#{2,3} (.+)$", PAGE, re.MULTILINE)
ROW = re.compile(r'^\| <a id="trouble-(\w+)"></a>.*$', re.MULTILINE)


def row(trouble: Trouble, entry: TroubleEntry) -> str:
    """A line of the table, as it must be."""
    says, mend = (re.sub(r"\{\w+\}", "…", text) for text in (entry.says, entry.mend))
    name = f'<a id="trouble-{trouble}"></a>`{trouble}`'
    return f"| {name} | {entry.severity} | {says} | {mend} | [more](#{anchor(entry.section)}) |"


def test_the_table_is_the_list() -> None:
    """In its order. To mend it: put these lines in the place of those that are there."""
    expected = [row(trouble, entry) for trouble, entry in TROUBLES.items()]
    assert [match.group() for match in ROW.finditer(PAGE)] == expected, "\n" + "\n".join(expected)


@pytest.mark.parametrize("trouble", Trouble)
def test_each_leads_to_a_section(trouble: Trouble) -> None:
    """Of this page."""
    assert TROUBLES[trouble].section in [heading.replace("`", "") for heading in HEADINGS]


def test_anchors_are_unambiguous() -> None:
    """Two headings of one name would be told apart by a number."""
    anchors = [anchor(heading) for heading in HEADINGS]
    assert len(anchors) == len(set(anchors))
