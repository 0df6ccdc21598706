"""The documents' blocks of code, and what the marks around them say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import name, tokens

RUN = frozenset({"sh", "python", "js"})
READ = frozenset({"text", "json", "csv", "mermaid"})
RULES = frozenset({"kafka", "redis", "stripe"})  # of docs/security.md, which tests/security reads
_MARK = re.compile(r"<!-- (not run|needs): (.+) -->")
_PROGRAMS = {"js": "node"}


@dataclass(frozen=True, slots=True)
class Block:
    """A block of code.

    Attributes:
        page: where it stands.
        line: its first line there.
        language: the first word on its fence; empty where there is none.
        file: the second word: the file that a reader saves it as.
        text: what stands between the fences.
        not_run: why it is not run, from the comment before it; None where it is.
        needs: a program that not every machine has, from the comment before it, or by the language; else empty.
    """

    page: Path
    line: int
    language: str
    file: str
    text: str
    not_run: str | None
    needs: str

    @property
    def runs(self) -> bool:
        """It is a program or commands, and nothing keeps it from being run."""
        return self.language in RUN and self.not_run is None

    def __str__(self) -> str:
        """Where it is."""
        return f"{name(self.page)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """All of a page, in order, indented ones too."""
    marks: dict[str, str] = {}
    for token in tokens(page):
        if token.type in {"fence", "code_block"}:
            language, _, file = token.info.strip().partition(" ")
            line = token.map[0] + 1 if token.map else 0
            needs = marks.get("needs", _PROGRAMS.get(language, ""))
            yield Block(page, line, language, file, token.content, marks.get("not run"), needs)
        marks = dict(_MARK.findall(token.content)) if token.type == "html_block" else {}
