"""`billing replay`: publishes events again, from a log or from files. No event is counted twice."""

import json
import os
import time
from pathlib import Path
from typing import Annotated

import typer

from local.stack.settings import settings_of
from ops.console.errors import OpsError
from ops.console.target import KAFKA, REDIS, StackDir, find_env
from ops.logs.settings import TableSettings
from ops.replay.acting import forecast_replay, left_out, run_replay
from ops.replay.deciding import Rules
from ops.replay.forecast_text import forecast_json, print_forecast
from ops.replay.progress import Progress, load_progress
from ops.replay.request import ReplayRequest, check_resumable, new_replay
from runtime.exit_codes import INTERRUPTED
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames

DEFAULT_RATE = 5_000.0
"""Events a second: a twentieth of the measured speed of one aggregator, so that live events do not wait."""

PROGRESS_FILE = Path("billing-replay.json")

app = typer.Typer(add_completion=False)


@app.command()
def replay(  # noqa: PLR0913 - the ways to say which events
    *,
    file: Annotated[Path | None, typer.Option(help="A file of events, one JSON object a line; or a directory.")] = None,
    topic: Annotated[str | None, typer.Option(help="The topic to read; default: the usage log.")] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    offsets: Annotated[
        str | None,
        typer.Option(metavar="A:B", help="Offsets of the partition: A included, B not; either may be missing."),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Appended at this time or later, RFC 3339.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Appended before it, RFC 3339.")] = None,
    account: Annotated[str | None, typer.Option(help="Only this account's events.")] = None,
    rate: Annotated[float, typer.Option(min=1, help="Events a second, at most.")] = DEFAULT_RATE,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be counted; publish nothing.")] = False,
    send_rejected: Annotated[
        bool, typer.Option("--send-rejected", help="Also send events that would be rejected: they become dead letters.")
    ] = False,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", help="Also publish records that were passed by, if they can be read.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the replay of the progress file.")] = False,
    progress_file: Annotated[
        Path, typer.Option("--progress", metavar="FILE", help="The file that keeps the replay's progress.")
    ] = PROGRESS_FILE,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
    directory: StackDir = None,
) -> None:
    """Publish events again: a stretch of the usage log or of another topic, or a file.

    Nothing is counted twice: the platform remembers an event's source and id for longer than it accepts the event.
    Events that would be rejected are not sent, and neither are records that were passed by (billing quarantine).
    """
    variables = (KAFKA, REDIS) if dry_run else (KAFKA,)
    settings = settings_of(TableSettings, find_env(directory, os.environ, *variables))
    request = ReplayRequest(file, topic, partition, offsets, start, end, account)
    progress = (
        _resumed(settings, request, progress_file)
        if resume
        else new_replay(settings, request, send_rejected=send_rejected, quarantined=quarantined)
    )
    if passing := left_out(settings, progress):
        typer.echo(
            f"left out: {passing} offsets that were passed by as ordered; --quarantined takes them along", err=True
        )
    usage = TopicNames(settings.topic_prefix).usage
    rules = Rules(usage, settings.partitions, progress.account, progress.send_rejected)
    if dry_run:
        forecast = forecast_replay(settings, progress, rules, time.time())
        typer.echo(json.dumps(forecast_json(forecast), indent=2)) if as_json else print_forecast(forecast)
        return
    if not resume and progress_file.exists():
        raise OpsError(
            f"{progress_file} tells of a replay that has not ended: go on with it (billing replay --resume --progress "
            f"{progress_file}), remove it, or name another file with --progress"
        )
    finished = run_replay(settings, progress, rules, rate, progress_file)
    _print_result(progress, finished=finished, as_json=as_json)
    if not finished:
        where = f" --dir {directory}" if directory else ""
        typer.echo(f"stopped; go on with: billing replay --resume --progress {progress_file}{where}", err=True)
        raise typer.Exit(INTERRUPTED)
    progress_file.unlink()


def _resumed(settings: KafkaSettings, request: ReplayRequest, path: Path) -> Progress:
    progress = load_progress(path)
    check_resumable(settings, request, progress)
    return progress


def _print_result(progress: Progress, *, finished: bool, as_json: bool) -> None:
    rejected = sum(progress.rejected.values())
    if as_json:
        result = {"finished": finished, "sent": progress.sent, "rejected": progress.rejected}
        typer.echo(json.dumps(result, indent=2))
        return
    typer.echo(f"sent: {progress.sent}, would be rejected: {rejected}{'' if finished else ' so far'}")
    for reason, count in sorted(progress.rejected.items()):
        typer.echo(f"  {reason}: {count}")
