"""`billing drain`: let a shard go on whose records are nearly all rejected."""

import asyncio
from typing import Annotated

import typer

from ledger.shard import Shard
from ledger.state import Log, read_state
from ledger.stops import order_drain
from metering.outage import Drain
from metering.stop import StopReason
from ops.console.confirm import ask
from ops.console.errors import OpsError
from ops.console.running_user import running_user
from ops.console.safe_text import visible
from ops.console.target import StackDir
from ops.logs.open_ledger import LedgerSettings, ledger_settings, open_ledger
from ops.logs.reader import LogReader
from runtime.topics import TopicNames

app = typer.Typer(add_completion=False)


@app.command()
def drain(
    shard: Annotated[int, typer.Argument(min=0, help="The shard that is stopped.")],
    *,
    why: Annotated[str, typer.Option(help="The reason, kept with the order.")],
    who: Annotated[str | None, typer.Option(help="Who orders it; default: the user who runs the command.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    directory: StackDir = None,
) -> None:
    """Let a shard go on that is stopped because nearly all its records are rejected, up to the present end of its log.

    Good events are counted. The others become dead letters, which can be mended and redriven. Records that are appended
    later can stop the shard again.
    """
    if not why.strip():
        raise OpsError("--why must say something")
    asyncio.run(_drain(ledger_settings(directory), shard, (who or running_user(), why), yes=yes))


async def _drain(settings: LedgerSettings, number: int, signed: tuple[str, str], *, yes: bool) -> None:
    topic = TopicNames(settings.topic_prefix).usage
    with LogReader(settings) as reader:
        held = reader.bounds(topic)
    if number not in held:
        raise OpsError(f"there is no shard {number}: {topic} has {len(held)} partitions")
    until = held[number].end
    async with open_ledger(settings) as ledger:
        shard = ledger.shard(number)
        fence = await _stopped_at(shard)
        ask(f"shard {number}: let up to {until - fence} records drain into the dead letters?", yes=yes)
        if not await order_drain(shard, fence, Drain(until, *signed)):
            raise OpsError(f"shard {number} has gone on meanwhile: look again, billing status")
    typer.echo(f"shard {number} drains up to offset {until}: an aggregator goes on within seconds")


async def _stopped_at(shard: Shard) -> int:
    stop = (await read_state(shard)).stops.get(Log.USAGE)
    if stop is None:
        raise OpsError(f"shard {shard.number} is not stopped: there is nothing to let go (billing status)")
    if stop.reason != StopReason.REJECTS:
        said = visible(stop.message)
        raise OpsError(f"shard {shard.number} is not stopped because of rejects ({stop.reason}). {said}")
    return stop.offset
