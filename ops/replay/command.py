"""`billing replay`: publish events again, from the log or from files. What was counted is not counted twice."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated, Any

import typer

from local.stack_settings import settings_of
from ops.account_change import check_account_id, parse_time
from ops.errors import OpsError
from ops.forecast import Forecaster
from ops.forecast_text import forecast_json, print_forecast
from ops.log_reading import LogReader
from ops.replay.deciding import Rules, decide
from ops.replay.plan import LogRange, check_unchanged, plan_files, plan_log
from ops.replay.progress import Progress, load_progress, save_progress
from ops.replay.reading import read_items
from ops.replay.run import MOST_AT_ONCE, Means, Pace, run
from ops.replay.showing import Display
from ops.settings import TableSettings
from ops.stack_env import KAFKA, REDIS, StackDir, find_env
from ops.usage_publisher import UsagePublisher
from runtime.topics import TopicNames

DEFAULT_RATE = 5_000.0
"""Events a second: a twentieth of what one aggregator was measured to count, so that live events wait for nothing."""

PROGRESS_FILE = Path("billing-replay.json")
INTERRUPTED = 130  # the shell's exit code for Ctrl-C

app = typer.Typer(add_completion=False)


@app.command()
def replay(  # noqa: PLR0913 - the ways to say which events
    *,
    file: Annotated[Path | None, typer.Option(help="A file of events, one JSON object a line; or a directory.")] = None,
    topic: Annotated[str | None, typer.Option(help="The topic to read; default: the usage log.")] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    offsets: Annotated[
        str | None, typer.Option(metavar="A:B", help="Of the partition, from A up to and without B; either may be left out.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Appended then or later, RFC 3339.")] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Appended before, RFC 3339.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account's events.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, at most.")] = DEFAULT_RATE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be counted, and publish nothing.")] = False,
    send_rejected: Annotated[
        bool, typer.Option("--send-rejected", help="Send what would be rejected too: it becomes dead letters.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the replay of the progress file.")] = False,
    progress_file: Annotated[
        Path, typer.Option("--progress", metavar="FILE", help="Where it is noted how far the replay is.")
    ] = PROGRESS_FILE,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    directory: StackDir = None,
) -> None:
    """Publish events again: a stretch of the usage log or another topic, or a file.

    Nothing is counted twice: the platform knows an event by its source and id for longer than it takes an event at
    all. Events that would be rejected are not sent.
    """
    settings = settings_of(TableSettings, find_env(directory, os.environ, KAFKA, REDIS))
    if account is not None:
        check_account_id(account)
    if resume:
        if any(each is not None for each in (file, topic, partition, offsets, start, end, account)) or send_rejected:
            raise OpsError("--resume goes on with what the progress file says: name no events")
        progress = load_progress(progress_file)
        _check_resumable(progress, settings)
    else:
        wanted = _wanted(settings, topic, partition, offsets, (start, end), account)
        if file is not None:
            if wanted is not None and (topic, partition, offsets, start, end) != (None,) * 5:
                raise OpsError("name a file or a stretch of a topic, not both")
            parts: list[Any] = list(plan_files(file))
        elif wanted is not None:
            parts = list(plan_log(settings, wanted))
        else:
            raise OpsError(
                "say which events: --file, or of a topic --from, --to, --partition, --offsets or --account; "
                "--from 1970-01-01T00:00:00Z means all"
            )
        progress = Progress(
            servers=settings.kafka_bootstrap_servers, parts=parts, account=account, send_rejected=send_rejected
        )
        if not dry_run and progress_file.exists():
            raise OpsError(
                f"{progress_file} tells of a replay that has not ended: go on with it (billing replay --resume "
                f"--progress {progress_file}), remove it, or name another --progress"
            )
    rules = Rules(
        TopicNames(settings.topic_prefix).usage, settings.partitions, progress.account, progress.send_rejected
    )
    if dry_run:
        _forecast(settings, progress, rules, as_json=as_json)
        return
    finished = _run(settings, progress, rules, rate, progress_file)
    _print_result(progress, finished=finished, as_json=as_json)
    if finished:
        progress_file.unlink(missing_ok=True)
        return
    where = f" --dir {directory}" if directory else ""
    typer.echo(f"stopped; go on with: billing replay --resume --progress {progress_file}{where}", err=True)
    raise typer.Exit(INTERRUPTED)
