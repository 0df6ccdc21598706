"""`billing rebuild`: clears shards and waits until they are folded again."""

import asyncio
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from local.stack.display import Display, make_display
from ops.console.errors import OpsError
from ops.console.safe_text import visible
from ops.console.target import StackDir
from ops.logs.open_ledger import LedgerSettings, chosen_shards, ledger_settings, open_ledger
from ops.logs.reader import LogReader
from ops.rebuild.run import Rebuild, Rebuilt
from runtime.exit_codes import NEEDS_A_PERSON
from runtime.topics import TopicNames, verify_topics

PATIENCE_SECONDS = 60.0  # seconds
MOST_LINES = 20  # totals that became smaller, per shard

app = typer.Typer(add_completion=False)


@app.command()
def rebuild(
    *,
    shard: Annotated[list[int] | None, typer.Option(help="This shard; may be repeated.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every shard, one after another.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds without progress after which the command gives up.")
    ] = PATIENCE_SECONDS,
    directory: StackDir = None,
) -> None:
    """Clear shards in Redis, one after another, and wait until they are folded again from Kafka.

    While a shard is being folded, its accounts read 503. Nothing is lost and nothing is billed twice. The next rebuild
    continues one that died. Exit code 1 if an account has less than before.
    """
    if bool(shard) == every:
        raise OpsError("say which shards: --shard N, or --all")
    settings = ledger_settings(directory)
    verify_topics(settings)
    with LogReader(settings) as reader:
        shards = chosen_shards(settings, reader, shard)
    if not yes:
        copy = f" of the copy {settings.redis_prefix!r}" if settings.redis_prefix else ""
        typer.confirm(
            f"clear {len(shards)} of {settings.partitions} shards{copy}? Each one's accounts read 503 until it is "
            "folded again",
            abort=True,
        )
    display = make_display(sys.stderr)
    try:
        less = asyncio.run(_rebuild(settings, shards, patience, display))
    finally:
        display.status("")
    if less:
        raise typer.Exit(NEEDS_A_PERSON)


async def _rebuild(settings: LedgerSettings, shards: Sequence[int], patience: float, display: Display) -> bool:
    """Returns True if an account has less than before."""
    less = False
    async with open_ledger(settings) as ledger:
        with LogReader(settings) as reader:
            work = Rebuild(reader, TopicNames(settings.topic_prefix), patience=patience, progress=display.status)
            for number in shards:
                done = await work.run(ledger.shard(number))
                display.status("")
                for line in _lines(done):
                    typer.echo(line)
                less = less or bool(done.less)
    return less


def _lines(done: Rebuilt) -> list[str]:
    result = "no account has less than before"
    if not done.compared:
        result = "totals of before are not known: an earlier rebuild had begun to clear it"
    if done.less:
        result = f"{len(done.less)} totals are LESS than before:"
    lines = [
        f"shard {done.shard}: {done.keys:,} keys cleared, {done.read:,} records folded, {done.seconds:.1f} s: {result}"
    ]
    lines += [
        f"  {visible(account)} {visible(meter)}: {before:,} before, {after:,} now"
        for (account, meter), (before, after) in sorted(done.less.items())[:MOST_LINES]
    ]
    return lines
