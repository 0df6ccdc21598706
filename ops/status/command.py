"""`billing status`: whether anything keeps usage from being counted, shown or billed; and what mends it."""

import asyncio
import json
import sys
from typing import Annotated

import typer
from rich.console import Console

from metering.troubles.finding import needs_a_person
from ops.console.target import StackDir
from ops.logs.dead_letters import MOST_RECORDS
from ops.logs.open_ledger import ledger_settings
from ops.status.as_json import as_json
from ops.status.looking import StatusQuestion, look
from ops.status.system import System, findings
from ops.status.text import Screen
from ops.status.watching import watch as watch_it
from runtime.exit_codes import DONE, NEEDS_A_PERSON

app = typer.Typer(add_completion=False)


@app.command()
def status(  # noqa: PLR0913 - a command's options
    *,
    shard: Annotated[list[int] | None, typer.Option(help="Only this shard; may be repeated.")] = None,
    every_shard: Annotated[bool, typer.Option("--all", help="With a line for each shard.")] = False,
    redis_prefix: Annotated[str | None, typer.Option(help="Another copy of the state than the environment's.")] = None,
    dead_letters: Annotated[
        int, typer.Option(min=0, metavar="RECORDS", help="How many records of the dead letters to read; newest first.")
    ] = MOST_RECORDS // 10,
    as_json_: Annotated[bool, typer.Option("--json", help="For programs; with --watch one line each.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks of --watch.")] = 2.0,
    directory: StackDir = None,
) -> None:
    """Say what needs a person, with its cause and what mends it; exit code 1 if anything does, 0 else."""
    settings = ledger_settings(directory, redis_prefix=redis_prefix)
    asked = StatusQuestion(shard, dead_letters, other_copy=redis_prefix is not None)
    screen = Screen.here(every_shard=every_shard)

    def once() -> System:
        return asyncio.run(look(settings, asked))

    def show(seen: System) -> None:
        _show(seen, screen, as_json_=as_json_, short=watch)

    if watch:
        watch_it(once, every, show, screen if sys.stdout.isatty() and not as_json_ else None)
        raise typer.Exit(DONE)
    found = once()
    show(found)
    raise typer.Exit(NEEDS_A_PERSON if needs_a_person(findings(found)) else DONE)


def _show(seen: System, screen: Screen, *, as_json_: bool, short: bool) -> None:
    if as_json_:
        typer.echo(json.dumps(as_json(seen), indent=None if short else 2))
    elif sys.stdout.isatty():
        Console().print(screen.drawn(seen), soft_wrap=True)
    else:
        typer.echo("\n".join(screen.lines(seen)))
