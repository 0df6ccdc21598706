"""Text from outside can't control the terminal."""

import io
import sys

import pytest
from typer.testing import CliRunner

from ops.cli import app
from ops.console.plain_table import columns
from ops.console.safe_text import visible
from ops.console.table import print_table

HOSTILE = "\x1b]0;owned\x07\x1b[31mred\x1b[2J\u202e\r\n\x9b1A"
HARMLESS = r"\x1b]0;owned\x07\x1b[31mred\x1b[2J\u202e\r\n\x9b1A"


class Terminal(io.StringIO):
    """A standard output that a person looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_what_does_not_print_is_escaped() -> None:
    """Escaping an escaped text changes nothing: a cell may be escaped twice."""
    assert visible(HOSTILE) == HARMLESS
    assert visible(HARMLESS) == HARMLESS
    assert visible("Zoë's café, 日本") == "Zoë's café, 日本"


def test_columns_are_as_wide_as_what_is_shown() -> None:
    """A cell is escaped before it is measured."""
    assert columns([("A", "B"), (HOSTILE, "x")]) == [f"A{' ' * (len(HARMLESS) - 1)}  B", f"{HARMLESS}  x"]


@pytest.mark.parametrize("output", [io.StringIO, Terminal])
def test_a_table_is_harmless_on_a_terminal_and_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, output: type[io.StringIO]
) -> None:
    """The cells may contain anything."""
    monkeypatch.setattr(sys, "stdout", output())
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    print_table(("NAME", "VALUE"), [(HOSTILE, "1")])
    shown = sys.stdout.getvalue()  # type: ignore[attr-defined]
    assert HARMLESS in shown
    assert not {"\x1b", "\x07", "\r", "\x9b", "\u202e"} & set(shown)


def test_an_error_that_names_what_others_wrote() -> None:
    """Here a directory's name is escaped; the error's own line breaks stay."""
    done = CliRunner().invoke(app, ["accounts", "list", "--dir", "x\x1b[2J"])
    assert done.exit_code == 1
    assert "\x1b" not in done.output
    assert r"x\x1b[2J" in done.output
