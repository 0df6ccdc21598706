"""`billing verify`: counts the usage log again, independently, and compares with Redis."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.shard import Ledger
from local.stack.display import make_display
from metering.bucket import start_of
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from ops.console.arguments import check_account_id
from ops.console.errors import OpsError
from ops.console.plain_table import columns
from ops.console.target import StackDir
from ops.logs.open_ledger import LedgerSettings, chosen_shards, ledger_settings, open_ledger
from ops.logs.order_log import read_orders
from ops.logs.reader import LogReader
from ops.verify.against_copy import CopyComparison
from ops.verify.against_log import LogVerdict, Progress, ShardVerification
from runtime.exit_codes import CANNOT_TELL, DONE, NEEDS_A_PERSON
from runtime.failing import explain, say
from runtime.topics import TopicNames

MOST_LINES = 100  # differences in the table; --json shows all

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    *,
    account: Annotated[str | None, typer.Option(help="Compare this account only.")] = None,
    shard: Annotated[list[int] | None, typer.Option(help="Only this shard; may be repeated.")] = None,
    redis_prefix: Annotated[str | None, typer.Option(help="Another copy of the state than the environment's.")] = None,
    against: Annotated[
        str | None, typer.Option(metavar="PREFIX", help="Compare with the copy under this prefix, not with the log.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    directory: StackDir = None,
) -> None:
    """Count the usage log once more, in memory, and compare with Redis.

    Exact beside live traffic. Exit code 0: equal; 1: different; 2: can't tell.
    """
    display = make_display(sys.stderr)
    try:
        verdicts = asyncio.run(_verify(directory, account, shard, (redis_prefix, against), display.status))
    except Exception as error:
        display.status("")
        explanation = explain(error)
        if explanation is None:
            raise
        say(f"billing: {explanation}")
        raise typer.Exit(CANNOT_TELL) from error
    display.status("")
    if as_json:
        typer.echo(json.dumps([_as_json(verdict) for verdict in verdicts], indent=2))
    else:
        _print(verdicts, "the log" if against is None else f"the copy {against!r}")
    raise typer.Exit(DONE if all(verdict.equal for verdict in verdicts) else NEEDS_A_PERSON)


async def _verify(
    directory: Path | None,
    account: str | None,
    shards: Sequence[int] | None,
    prefixes: tuple[str | None, str | None],
    progress: Progress,
) -> list[LogVerdict]:
    redis_prefix, against = prefixes
    settings = ledger_settings(directory, redis_prefix=redis_prefix)
    if against == settings.redis_prefix:
        raise OpsError(f"--against {against!r} is the copy itself: name another one")
    names = TopicNames(settings.topic_prefix)
    topic = names.usage
    async with open_ledger(settings) as ledger:
        with LogReader(settings) as reader:
            orders = read_orders(reader, names.quarantine)
            verdicts = []
            for number in _chosen(settings, reader, account, shards):
                own = ledger.shard(number)
                comparison = (
                    ShardVerification(own, reader, topic, settings.partitions, orders.of(topic, number))
                    if against is None
                    else CopyComparison(
                        (own, Ledger(ledger.store, against, ledger.partitions).shard(number)), reader, topic
                    )
                )
                verdicts.append(await comparison.run(account, progress))
            return verdicts


def _chosen(
    settings: LedgerSettings, reader: LogReader, account: str | None, shards: Sequence[int] | None
) -> list[int]:
    if account is None:
        return chosen_shards(settings, reader, shards)
    check_account_id(account)
    home = partition_of(account, settings.partitions)
    if shards and home not in shards:
        raise OpsError(f"account {account} lives in shard {home}")
    return [home]


def _as_json(verdict: LogVerdict) -> dict[str, Any]:
    return {
        "shard": verdict.shard,
        "fence": verdict.fence,
        "equal": verdict.equal,
        "compared_from": from_unix(start_of(verdict.from_hour)),
        "counters": verdict.counters,
        "conservation": None
        if verdict.conservation is None
        else dict(zip(("expected", "found"), map(asdict, verdict.conservation), strict=True)),
        "differences": [asdict(difference) for difference in sorted(verdict.differences)],
        "conflicts": verdict.conflicts,
        "conflict_examples": [asdict(conflict) for conflict in verdict.examples],
    }


def _print(verdicts: Sequence[LogVerdict], other: str) -> None:
    rows = [("SHARD", "FENCE", "COMPARED FROM", "HASHES", "DIFFERENCES", "CONFLICTING IDS")]
    for verdict in verdicts:
        differences = len(verdict.differences) + (not verdict.equal and not verdict.differences)
        since = "the beginning" if verdict.from_hour == 0 else from_unix(start_of(verdict.from_hour))
        cells = (verdict.shard, verdict.fence, since, verdict.counters, differences, verdict.conflicts)
        rows.append(tuple(map(str, cells)))  # type: ignore[arg-type]  # as many as the heading
    for line in columns(rows):
        typer.echo(line)
    _print_differences(verdicts, other)
    _print_conflicts(verdicts)
    equal = all(verdict.equal for verdict in verdicts)
    typer.echo(f"Redis and {other} are equal" if equal else f"Redis and {other} are DIFFERENT")


def _print_differences(verdicts: Sequence[LogVerdict], other: str) -> None:
    for verdict in verdicts:
        if verdict.conservation is not None and verdict.conservation[0] != verdict.conservation[1]:
            expected, found = verdict.conservation
            typer.echo(f"shard {verdict.shard}: records: {other} says {asdict(expected)}, Redis {asdict(found)}")
    differences = sorted(difference for verdict in verdicts for difference in verdict.differences)
    if not differences:
        return
    rows = [("ACCOUNT", "METER", "BUCKET OR DAY", "EXPECTED", "REDIS")]
    rows += [(each.account, each.meter, each.place, str(each.expected), str(each.found)) for each in differences]
    for line in columns(rows[: MOST_LINES + 1]):
        typer.echo(line)
    if len(differences) > MOST_LINES:
        typer.echo(f"and {len(differences) - MOST_LINES} more: --json lists them all")


def _print_conflicts(verdicts: Sequence[LogVerdict]) -> None:
    for conflict in (conflict for verdict in verdicts for conflict in verdict.examples):
        typer.echo(
            f"id {conflict.event_id!r} of {conflict.source!r} came with another payload "
            f"(partition {conflict.partition}, offset {conflict.offset}): counted was the first"
        )
