"""Selects letters: by origin, or by reason, source and time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from metering.reject import RejectReason
from ops.console.arguments import parse_time
from ops.console.errors import OpsError
from ops.logs.dead_letters import DeadLetter, DeadLetters, LetterOrigin

Reason = Annotated[RejectReason | None, typer.Option(help="Only letters with this reason.")]
Source = Annotated[str | None, typer.Option(help="Only letters with this CloudEvents source.")]
Start = Annotated[str | None, typer.Option("--from", metavar="TIME", help="Appended at this time or later, RFC 3339.")]
End = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Appended before this time, RFC 3339.")]
Origins = Annotated[
    list[str] | None, typer.Argument(metavar="[ORIGIN]...", help="Letters by origin, topic/partition/offset.")
]


@dataclass(frozen=True, slots=True)
class Filter:
    """The properties of the wanted letters; None allows any. Times are append times of the originals, Unix seconds."""

    reason: str | None = None
    source: str | None = None
    start: int | None = None
    end: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """Returns whether the letter passes the filter."""
        return (
            self.reason in {None, letter.reason}
            and self.source in {None, letter.source}
            and (self.start is None or letter.time >= self.start)
            and (self.end is None or letter.time < self.end)
        )


def make_filter(reason: RejectReason | None, source: str | None, start: str | None, end: str | None) -> Filter:
    """Makes a filter from options.

    Raises:
        OpsError: a time is not RFC 3339.
    """
    return Filter(
        None if reason is None else reason.value,
        source,
        None if start is None else parse_time("--from", start),
        None if end is None else parse_time("--to", end),
    )


def find_letter(letters: DeadLetters, text: str, usage: str) -> DeadLetter:
    """Returns the letter of an origin that a person typed.

    Raises:
        OpsError: the text is not an origin, or no letter has this origin.
    """
    try:
        origin = LetterOrigin.parse(text, usage)
    except ValueError as error:
        raise OpsError(str(error)) from error
    letter = letters.letters.get(origin)
    if letter is None:
        raise OpsError(f"no dead letter has the origin {origin}: billing dlq list --all shows those that there are")
    return letter


def choose(
    letters: DeadLetters, origins: Sequence[str], wanted: Filter, *, every: bool, usage: str
) -> list[DeadLetter]:
    """Returns the letters to act on: the named ones, or the open ones that pass the filter.

    Raises:
        OpsError: there are neither origins nor a filter, or both.
    """
    if origins:
        if every or wanted != Filter():
            raise OpsError("name letters by origin, or choose them by --reason, --source, --from, --to: not both")
        return list({each.origin: each for each in (find_letter(letters, text, usage) for text in origins)}.values())
    if not every and wanted == Filter():
        raise OpsError("say which letters: by origin, or by --reason, --source, --from, --to, or --all open ones")
    return [letter for letter in letters.open() if wanted.matches(letter)]
