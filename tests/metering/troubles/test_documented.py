"""The table in docs/operating/troubles.md is the list."""

import re
from pathlib import Path

from metering.troubles.catalogue import TROUBLES
from metering.troubles.entry import TroubleEntry
from metering.troubles.names import Trouble

PAGE = (Path(__file__).parents[3] / "docs" / "operating" / "troubles.md").read_text()
ROW = re.compile(r'^\| <a id="trouble-(\w+)"></a>.*$', re.MULTILINE)


def row(trouble: Trouble, entry: TroubleEntry) -> str:
    """A line of the table, as it must be."""
    says, mend = (re.sub(r"\{\w+\}", "…", text) for text in (entry.says, entry.mend))
    name = f'<a id="trouble-{trouble}"></a>`{trouble}`'
    return f"| {name} | {entry.severity} | {says} | {mend} | [more]({entry.more}) |"


def test_the_table_is_the_list() -> None:
    """In its order. To mend it: put these lines in the place of those that are there."""
    expected = [row(trouble, entry) for trouble, entry in TROUBLES.items()]
    assert [match.group() for match in ROW.finditer(PAGE)] == expected, "\n" + "\n".join(expected)
