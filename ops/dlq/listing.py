"""Prints letters: a summary by reason and source, then the letters."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import typer

from metering.rfc3339 import from_unix
from ops.console.safe_text import visible
from ops.console.table import print_table
from ops.logs.dead_letters import DeadLetter

DETAIL_WIDTH = 80  # characters
SOURCE_WIDTH = 40  # characters; of an account too


class LetterGroup(NamedTuple):
    """Letters with the same reason and source; times are Unix seconds."""

    reason: str
    source: str | None
    letters: int
    first: int
    last: int


def groups_of(letters: Sequence[DeadLetter]) -> list[LetterGroup]:
    """The letters by reason and source, the largest group first."""
    times: defaultdict[tuple[str, str | None], list[int]] = defaultdict(list)
    for letter in letters:
        times[letter.reason, letter.source].append(letter.time)
    groups = [LetterGroup(*key, len(each), min(each), max(each)) for key, each in times.items()]
    return sorted(groups, key=lambda group: (-group.letters, group.reason, group.source or ""))


def print_letters(letters: Sequence[DeadLetter], limit: int) -> None:
    """Prints the summary, and the newest letters."""
    if letters:
        summary = [
            (visible(each.reason), _source(each.source), str(each.letters), _time(each.first), _time(each.last))
            for each in groups_of(letters)[:limit]
        ]
        print_table(("REASON", "SOURCE", "LETTERS", "FIRST", "LAST"), summary, numbers=("LETTERS",))
        typer.echo()
        rows = [
            (
                visible(str(letter.origin)),
                _time(letter.time),
                visible(letter.reason),
                visible(letter.account or "-", SOURCE_WIDTH),
                _source(letter.source),
                letter.mark.kind.value if letter.mark else "open",
                visible(letter.detail, DETAIL_WIDTH),
            )
            for letter in newest(letters, limit)
        ]
        print_table(("ORIGIN", "TIME", "REASON", "ACCOUNT", "SOURCE", "STATE", "DETAIL"), rows)
    still_open = sum(letter.mark is None for letter in letters)
    left_out = f"; the newest {limit} are shown, --limit shows more" if len(letters) > limit else ""
    typer.echo(f"{len(letters)} letters, {still_open} open{left_out}")


def letters_json(letters: Sequence[DeadLetter], limit: int) -> dict[str, Any]:
    """Returns the same as JSON."""
    return {
        "letters": len(letters),
        "open": sum(letter.mark is None for letter in letters),
        "groups": [
            group._asdict() | {"first": from_unix(group.first), "last": from_unix(group.last)}
            for group in groups_of(letters)
        ],
        "newest": [letter_json(letter) for letter in newest(letters, limit)],
    }


def letter_json(letter: DeadLetter) -> dict[str, Any]:
    """One letter, without its bytes."""
    return {
        "origin": str(letter.origin),
        "time": from_unix(letter.time),
        "reason": letter.reason,
        "detail": letter.detail,
        "source": letter.source,
        "account": letter.account,
        "left_out": letter.left_out,
        "mark": None if letter.mark is None else letter.mark._asdict(),
    }


def newest(letters: Sequence[DeadLetter], limit: int) -> Sequence[DeadLetter]:
    """The last `limit` of letters in order of time."""
    return letters[max(len(letters) - limit, 0) :]


def _source(source: str | None) -> str:
    return "-" if source is None else visible(source, SOURCE_WIDTH)


def _time(seconds: int) -> str:
    return from_unix(seconds) if seconds else "-"
