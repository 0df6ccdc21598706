"""`billing status`: how every shard stands, and what needs a person."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from ops.dead_letter_log import MOST_RECORDS, read_dead_letters
from ops.ledger_access import LedgerSettings, chosen_shards, ledger_settings, open_ledger
from ops.log_reading import LogReader
from ops.stack_env import StackDir
from ops.status_reading import StatusReader
from ops.status_text import Status, as_json, plain_lines, rich_tables
from runtime.topics import TopicNames

FINE, NEEDS_A_PERSON = 0, 1

app = typer.Typer(add_completion=False)


@app.command()
def status(
    *,
    shard: Annotated[list[int] | None, typer.Option(help="Only this shard; may be repeated.")] = None,
    redis_prefix: Annotated[str | None, typer.Option(help="Another copy of the state than the environment's.")] = None,
    dead_letters: Annotated[
        int, typer.Option(min=0, metavar="RECORDS", help="How many records of the dead letters to read; newest first.")
    ] = MOST_RECORDS // 10,
    as_json_: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Again and again, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks of --watch.")] = 2.0,
    directory: StackDir = None,
) -> None:
    """Show lag, freshness, fates of records, rows on their way to Stripe; exit code 1 if something needs a person."""
    settings = ledger_settings(directory, redis_prefix=redis_prefix)
    shards = chosen_shards(settings, shard)

    def look() -> Status:
        return asyncio.run(_read(settings, shards, dead_letters))

    found = look()
    if watch:
        found = _watch(found, look, every, as_json_=as_json_)
    else:
        _show(found, as_json_=as_json_)
    raise typer.Exit(NEEDS_A_PERSON if found.concerns else FINE)


async def _read(settings: LedgerSettings, shards: list[int], dead_letters: int) -> Status:
    async with open_ledger(settings) as (_, ledger):
        with LogReader(settings) as reader:
            topics = TopicNames(settings.topic_prefix)
            reports = await StatusReader(reader, topics).read([ledger.shard(number) for number in shards])
    if not dead_letters:
        return Status(tuple(reports), None, truncated=False)
    letters = read_dead_letters(settings, most_records=dead_letters)
    return Status(tuple(reports), letters.open_by_reason(), truncated=letters.truncated)


def _show(found: Status, *, as_json_: bool) -> None:
    if as_json_:
        typer.echo(json.dumps(as_json(found), indent=2))
    elif sys.stdout.isatty():
        Console().print(rich_tables(found))
    else:
        for line in plain_lines(found):
            typer.echo(line)


def _watch(found: Status, look: Callable[[], Status], every: float, *, as_json_: bool) -> Status:
    """Shows until Ctrl-C; gives what was seen last."""
    try:
        if sys.stdout.isatty() and not as_json_:
            with Live(rich_tables(found), screen=True) as live:
                while True:
                    time.sleep(every)
                    found = look()
                    live.update(rich_tables(found))
        while True:
            _show(found, as_json_=as_json_)
            time.sleep(every)
            found = look()
    except KeyboardInterrupt:
        return found
