"""Asks before a step that can't be undone."""

import sys
from dataclasses import dataclass

import typer

from ops.console.errors import OpsError


def ask(question: str, *, yes: bool) -> None:
    """Asks, and returns if the person agrees; `yes`: the person has agreed already, by an option.

    Raises:
        OpsError: standard input is not a terminal, so that nobody can answer.
        typer.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise OpsError(f"{question} Nobody can answer here: add --yes")
    typer.confirm(question, abort=True)


@dataclass(frozen=True, slots=True)
class Confirm:
    """The options of a command that changes something: agreed already, only a dry run, JSON as output."""

    yes: bool
    dry_run: bool
    as_json: bool = False

    def ask(self, question: str) -> None:
        """Asks, and returns if the person agrees.

        Raises:
            OpsError: standard input is not a terminal, so that nobody can answer.
            typer.Abort: the answer is no.
        """
        ask(question, yes=self.yes)
