"""Asking before something is done that can't be undone."""

import sys
from dataclasses import dataclass

import typer

from ops.console.errors import OpsError


def ask(question: str, *, yes: bool) -> None:
    """Returns if it may be done; `yes`: the answer was given beforehand.

    Raises:
        OpsError: there is nobody to ask.
        typer.Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise OpsError(f"{question} Nobody can answer here: add --yes")
    typer.confirm(question, abort=True)


@dataclass(frozen=True, slots=True)
class Confirm:
    """How far a command may go without asking, and how it answers."""

    yes: bool
    dry_run: bool
    as_json: bool = False

    def ask(self, question: str) -> None:
        """Returns if it may be done.

        Raises:
            OpsError: there is nobody to ask.
            typer.Abort: the answer is no.
        """
        ask(question, yes=self.yes)
