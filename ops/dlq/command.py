"""`billing dlq`: look through the dead letters, publish them again, or discard them."""

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from local.stack.settings import settings_of
from ops.console.arguments import parse_time
from ops.console.confirm import Confirm
from ops.console.errors import OpsError
from ops.console.target import KAFKA, REDIS, StackDir, find_env
from ops.dlq import acting
from ops.dlq.fix_up import parse_fix
from ops.dlq.letter_records import letter_records
from ops.dlq.listing import letters_json, print_letters
from ops.dlq.marking import make_mark
from ops.dlq.planning import Redrive
from ops.dlq.selection import End, Origins, Reason, Source, Start, choose, find_letter, make_filter
from ops.dlq.showing import print_letter
from ops.logs.dead_letters import MarkKind, read_dead_letters
from ops.logs.settings import TableSettings
from runtime.exit_codes import NEEDS_A_PERSON
from runtime.topics import TopicNames

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Look after the dead letters.")

LetterOrigin = Annotated[str, typer.Argument(metavar="ORIGIN", help="topic/partition/offset, as list shows it.")]
Every = Annotated[bool, typer.Option("--all", help="Every open letter.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, and write nothing.")]
AsJson = Annotated[bool, typer.Option("--json", help="The answer as JSON.")]


@app.command("list")
def list_letters(  # noqa: PLR0913 - which letters, and how they are shown
    *,
    reason: Reason = None,
    source: Source = None,
    start: Start = None,
    end: End = None,
    handled: Annotated[bool, typer.Option("--all", help="Also redriven and discarded letters.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many letters to show, the newest.")] = 20,
    as_json: AsJson = False,
    directory: StackDir = None,
) -> None:
    """Show the open letters: by reason and source, then the newest.

    A letter counts once, even if a refold wrote it several times.
    """
    settings = _settings(directory)
    wanted = make_filter(reason, source, start, end)
    found = read_dead_letters(settings)
    letters = [each for each in (found.letters.values() if handled else found.open()) if wanted.matches(each)]
    for each in found.unreadable:
        typer.echo(f"{each}: letters and marks in it are left out", err=True)
    if as_json:
        told = {"truncated": found.truncated, "unreadable": found.unreadable}
        typer.echo(json.dumps(letters_json(letters, limit) | told, indent=2))
        return
    print_letters(letters, limit)
    if found.truncated:
        typer.echo("there are more records than were read: the oldest letters are left out", err=True)


@app.command()
def show(
    origin: LetterOrigin,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="The original bytes and nothing else.")] = False,
    directory: StackDir = None,
) -> None:
    """Show a letter's headers and original bytes. Characters that do not print are escaped."""
    settings = _settings(directory)
    letter = find_letter(read_dead_letters(settings), origin, TopicNames(settings.topic_prefix).usage)
    if raw and letter.left_out is not None:
        raise OpsError(f"the letter had no room for its value ({letter.left_out}): only its origin has it")
    for _, record in letter_records(settings, [letter]):
        if raw:
            sys.stdout.buffer.write(record.value or b"")
        else:
            print_letter(letter, record)


@app.command()
def redrive(  # noqa: PLR0913 - which letters, and how they are mended
    origins: Origins = None,
    *,
    reason: Reason = None,
    source: Source = None,
    start: Start = None,
    end: End = None,
    every: Every = False,
    fixes: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Set type, subject, data.quantity, ...")
    ] = None,
    restamp: Annotated[bool, typer.Option("--restamp", help="Give events that are too old the current time.")] = False,
    restamp_to: Annotated[
        str | None, typer.Option("--restamp-to", metavar="TIME", help="Give events that are too old this time.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also send letters that still fail, or were handled already.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
    directory: StackDir = None,
) -> None:
    """Publish letters again into the usage log, mended where an option says so, and mark them as redriven.

    A letter that would be rejected again is shown, and not sent. Exit code 1 if any letter was held back.
    """
    settings = _settings(directory, *((REDIS,) if dry_run else ()))
    usage = TopicNames(settings.topic_prefix).usage
    wanted = make_filter(reason, source, start, end)
    letters = choose(read_dead_letters(settings), origins or [], wanted, every=every, usage=usage)
    now = time.time()
    moment = int(now) if restamp else None
    rules = Redrive(
        usage=usage,
        partitions=settings.partitions,
        now_ms=int(now * 1000),
        fixes=tuple(parse_fix(each) for each in fixes or []),
        restamp_to=moment if restamp_to is None else parse_time("--restamp-to", restamp_to),
        force=force,
    )
    confirm = Confirm(yes=yes, dry_run=dry_run, as_json=as_json)
    held_back = acting.redrive(settings, letters, rules, make_mark(MarkKind.REDRIVEN, now), confirm)
    if held_back:
        raise typer.Exit(NEEDS_A_PERSON)


@app.command()
def discard(  # noqa: PLR0913 - which letters, and why
    origins: Origins = None,
    *,
    why: Annotated[str, typer.Option(help="The reason, kept with the letters.")],
    reason: Reason = None,
    source: Source = None,
    start: Start = None,
    end: End = None,
    every: Every = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    directory: StackDir = None,
) -> None:
    """Mark letters as not to be counted.

    Nothing is deleted: list --all shows them, and redrive ORIGIN --force still sends them.
    """
    if not why.strip():
        raise OpsError("--why must say something")
    settings = _settings(directory)
    wanted = make_filter(reason, source, start, end)
    usage = TopicNames(settings.topic_prefix).usage
    letters = choose(read_dead_letters(settings), origins or [], wanted, every=every, usage=usage)
    mark = make_mark(MarkKind.DISCARDED, time.time(), why)
    acting.discard(settings, letters, mark, Confirm(yes=yes, dry_run=dry_run))


def _settings(directory: Path | None, *more: str) -> TableSettings:
    return settings_of(TableSettings, find_env(directory, os.environ, KAFKA, *more))
