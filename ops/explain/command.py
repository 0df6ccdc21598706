"""`billing explain`: finds the events that a row at Stripe consists of."""

import json
import re
import sys
import time
from typing import Annotated

import typer

from local.stack.display import make_display
from metering.partition import partition_of
from ops.console.arguments import check_account_id, parse_time
from ops.console.errors import OpsError
from ops.console.target import StackDir
from ops.explain.explaining import Explainer
from ops.explain.log_search import LogSearch
from ops.explain.showing import explanation_json, print_explanation
from ops.logs.open_ledger import ledger_settings
from ops.logs.reader import LogReader
from runtime.exit_codes import DONE, NEEDS_A_PERSON
from runtime.topics import TopicNames

LEAST_DIGITS = 8  # hexadecimal digits of an identifier
_IDENTIFIER = re.compile(rf"[0-9a-f]{{{LEAST_DIGITS},64}}")

app = typer.Typer(add_completion=False)


@app.command()
def explain(
    identifier: Annotated[str, typer.Argument(metavar="IDENTIFIER", help="A meter event's, or its beginning.")],
    *,
    account: Annotated[str | None, typer.Option(help="The row's account: only its shard is searched.")] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="The row was prepared at this time or later, RFC 3339; default: any time."),
    ] = None,
    events: Annotated[int, typer.Option(min=0, help="How many events to show, the last.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: everything.")] = False,
    directory: StackDir = None,
) -> None:
    """Show a row, its entries in the push log, and the usage events that make up its quantity.

    Exit code 0: the events add up to exactly the row's units; 1: they do not, and the reason is shown.
    """
    if not _IDENTIFIER.fullmatch(identifier):
        raise OpsError(f"{identifier!r} is no identifier: give at least {LEAST_DIGITS} of its 64 hexadecimal digits")
    settings = ledger_settings(directory)
    shards = range(settings.partitions)
    if account is not None:
        check_account_id(account)
        number = partition_of(account, settings.partitions)
        shards = range(number, number + 1)
    since_ms = 0 if since is None else parse_time("--since", since) * 1000
    display = make_display(sys.stderr)
    try:
        with LogReader(settings) as reader:
            topics = TopicNames(settings.topic_prefix)
            search = LogSearch(reader, topics.pushes, identifier, shards, since_ms, display.status)
            found = search.find(time.time_ns() // 1_000_000)
            explanation = Explainer(reader, topics, settings.partitions, display.status).explain(found)
    finally:
        display.status("")
    if as_json:
        typer.echo(json.dumps(explanation_json(explanation), indent=2))
    else:
        print_explanation(explanation, events)
    raise typer.Exit(NEEDS_A_PERSON if explanation.lacking else DONE)
