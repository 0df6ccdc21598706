"""`billing quarantine`: lets a shard pass by the offsets that stop it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from aggregator.publisher import Message
from ledger.shard import Shard
from ledger.state import Log, ShardState, read_state
from metering.quarantine import OrderKey, QuarantineOrder
from metering.reject import RejectReason
from ops.console.confirm import ask
from ops.console.errors import OpsError
from ops.console.running_user import running_user
from ops.console.target import StackDir
from ops.logs.open_ledger import LedgerSettings, ledger_settings, open_ledger
from ops.logs.order_log import REBUILD, late_offsets, read_orders
from ops.logs.publisher import UsagePublisher
from ops.logs.reader import LogReader
from ops.quarantine.plan import FoldedLog, Passing, Wanted, may_pass
from runtime.topics import TopicNames

OBEY_SECONDS = 20.0  # seconds: an aggregator obeys within two, but the rest of a large batch takes longer
LOOK_SECONDS = 0.1  # seconds between two looks

app = typer.Typer(add_completion=False)


@app.command()
def quarantine(  # noqa: PLR0913 - what, and by whom
    partition: Annotated[int, typer.Argument(min=0, help="The partition, and so the shard.")],
    offset: Annotated[int, typer.Argument(min=0, help="The offset at which it is stopped; billing status shows it.")],
    *,
    why: Annotated[str, typer.Option(help="The reason, kept with the order.")],
    end: Annotated[
        int | None, typer.Option(help="The first offset that is folded again; default: behind what is in the way.")
    ] = None,
    log: Annotated[FoldedLog | None, typer.Option(help="Which log, if several are stopped there.")] = None,
    who: Annotated[str | None, typer.Option(help="Who orders it; default: the user who runs the command.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    directory: StackDir = None,
) -> None:
    """Order a shard to pass by records that it can't read, or must not count. The order can't be taken back.

    Every offset becomes a dead letter, with the original record if that can be read. These records are never counted,
    also not by a later refold. Exit code 1 if the shard does not get past them.
    """
    if not why.strip():
        raise OpsError("--why must say something")
    settings = ledger_settings(directory)
    wanted = Wanted(partition, offset, end, log)
    asyncio.run(_quarantine(settings, wanted, (who or running_user(), why), yes=yes))


async def _quarantine(settings: LedgerSettings, wanted: Wanted, signed: tuple[str, str], *, yes: bool) -> None:
    names = TopicNames(settings.topic_prefix)
    topics = {Log.USAGE: names.usage, Log.ACCOUNTS: names.accounts, Log.API_KEYS: names.api_keys}
    async with open_ledger(settings) as ledger:
        shard = ledger.shard(wanted.partition)
        passing = await _look(settings, topics, shard, wanted)
        ask(_question(topics[passing.log], wanted.partition, passing), yes=yes)
        passing = await _look(settings, topics, shard, wanted)  # it may have gone on while somebody thought
        key = OrderKey(topics[passing.log], wanted.partition, passing.start)
        order = QuarantineOrder(
            offset=passing.start, end=passing.end, who=signed[0], why=signed[1], time=int(time.time())
        )
        with UsagePublisher(settings) as publisher:
            publisher.publish([Message(names.quarantine, str(key).encode(), order.to_json(), ())])
        typer.echo(f"ordered: {key.topic}-{key.partition} passes {order.offset} to {order.end - 1} by")
        state = await _obeyed(shard, passing)
    _check_in_time(settings, wanted.partition, state)
    letters = f"billing dlq list --reason {RejectReason.QUARANTINED}"
    typer.echo(f"passed by: the shard stands at {state.fences[passing.log]}; {letters} shows the dead letters")


async def _look(settings: LedgerSettings, topics: Mapping[Log, str], shard: Shard, wanted: Wanted) -> Passing:
    with LogReader(settings) as reader:
        places = {log: reader.bounds(topic) for log, topic in topics.items()}
        if wanted.partition not in places[Log.USAGE]:
            raise OpsError(
                f"there is no partition {wanted.partition}: {topics[Log.USAGE]} has {len(places[Log.USAGE])}"
            )
        ends = {log: held[wanted.partition].end for log, held in places.items() if wanted.partition in held}
        known = read_orders(reader, TopicNames(settings.topic_prefix).quarantine)
    orders = {log: known.of(topic, wanted.partition) for log, topic in topics.items()}
    return may_pass(wanted, await read_state(shard), orders, ends)


def _question(topic: str, partition: int, passing: Passing) -> str:
    return (
        f"{topic}-{partition}: pass {passing.end - passing.start} offsets by, {passing.start} to {passing.end - 1}? "
        "What lies there is never counted, and that can't be taken back."
    )


async def _obeyed(shard: Shard, passing: Passing) -> ShardState:
    deadline = time.monotonic() + OBEY_SECONDS
    while True:
        state = await read_state(shard)
        if state.fences.get(passing.log, -1) >= passing.end:
            return state
        if time.monotonic() > deadline:
            raise OpsError(
                f"the order is given, but the shard has not obeyed it within {OBEY_SECONDS:g} s: does an aggregator "
                "run? It does so as soon as one does; there is nothing to repeat"
            )
        await asyncio.sleep(LOOK_SECONDS)


def _check_in_time(settings: LedgerSettings, number: int, state: ShardState) -> None:
    names = TopicNames(settings.topic_prefix)
    with LogReader(settings) as reader:
        orders = read_orders(reader, names.quarantine).of(names.usage, number)
    if late_offsets(orders, state):
        raise OpsError(f"shard {number}: somebody counted there first: {REBUILD.format(number)}")
