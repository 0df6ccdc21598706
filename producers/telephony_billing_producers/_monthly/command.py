"""`monthly`: the command around the monthly job."""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TextIO

from prometheus_client import CollectorRegistry

from .._delivery import Outcome
from ..emitter import UsageEmitter
from ..errors import SpoolError
from ..numbers import NumberService
from ..protocol import Emitter
from ..settings import EmitterSettings
from ..testing import FakeEmitter
from .holdings import read_holdings
from .job import MonthError, Report, charge, check_month

PROGRESS_SECONDS = 5.0  # seconds between two lines
MOST_FAULTS_SHOWN = 100  # lines with faults

KAFKA = "USAGE_KAFKA"
SPOOL = "USAGE_SPOOL"


def add_command(commands: Any) -> None:
    """Adds the command to a parser."""
    parser = commands.add_parser(
        "monthly",
        help="charge the monthly fee of phone numbers",
        description="Charge the monthly fee of every phone number that was held. However often it is run, and whenever "
        "within 34 days of the month's beginning: each number is charged once.",
    )
    parser.add_argument(
        "file", nargs="?", default="-", help="CSV with a header, or JSON lines; default: standard input"
    )
    parser.add_argument("--month", required=True, type=_month, help="such as 2026-12")
    parser.add_argument("--kafka", default=os.environ.get(KAFKA), help=f"host:port of Kafka; default: ${KAFKA}")
    parser.add_argument("--kafka-options", type=Path, help="a JSON file of further settings of kafka.KafkaProducer")
    parser.add_argument("--topic-prefix", default="", help="what stands before every topic's name")
    parser.add_argument(
        "--spool", type=Path, default=os.environ.get(SPOOL), help=f"the spool's directory; default: ${SPOOL}"
    )
    parser.add_argument("--source", default="/numbers", help="the service; the same in every run (default: /numbers)")
    parser.add_argument("--start-line", type=int, default=1, help="go on from this line")
    parser.add_argument("--wait", type=float, default=30.0, help="seconds for Kafka to take what was spooled (30)")
    parser.add_argument("--dry-run", action="store_true", help="check every line, and send nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the command. Returns the exit status: 0 if all fees are in Kafka and no line has a fault."""
    report = Report()
    begun = time.monotonic()
    try:
        check_month(arguments.month, datetime.now(UTC))
        with _lines(arguments.file) as lines, _emitter(arguments) as emitter:
            shown = _Progress()
            charge(
                read_holdings(lines),
                arguments.month,
                NumberService(emitter, source=arguments.source),
                report=report,
                progress=shown,
                start_line=arguments.start_line,
            )
            if isinstance(emitter, UsageEmitter):
                _acknowledge(emitter, report, arguments.wait)
    except (MonthError, SpoolError, OSError, ValueError) as error:
        return _stopped(report, str(error), 2 if isinstance(error, MonthError) else 1)
    except KeyboardInterrupt:
        return _stopped(report, "interrupted", 130)
    return _tell(report, arguments, time.monotonic() - begun)


class _Progress:
    """A line on standard error every few seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PROGRESS_SECONDS

    def __call__(self, report: Report) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_SECONDS
            _say(f"line {report.last_line}: {report.acknowledged + report.spooled} charged")


@contextlib.contextmanager
def _lines(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
    else:
        with Path(name).open(encoding="utf-8", newline="") as file:
            yield file


def _emitter(arguments: argparse.Namespace) -> Any:
    """Returns the emitter; for a dry run, one that only checks."""
    if arguments.dry_run:
        checking: Emitter[Future[Outcome]] = FakeEmitter()
        return checking
    missing = [name for name, value in (("--kafka", arguments.kafka), ("--spool", arguments.spool)) if not value]
    if missing:
        raise ValueError(f"{' and '.join(missing)} must be given, or --dry-run")
    settings = EmitterSettings(
        bootstrap_servers=arguments.kafka,
        topic_prefix=arguments.topic_prefix,
        spool_directory=Path(arguments.spool),
        kafka_options=_options(arguments.kafka_options),
    )
    return UsageEmitter(settings, registry=CollectorRegistry())


def _options(file: Path | None) -> Mapping[str, object]:
    options = {} if file is None else json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(options, dict):
        raise ValueError(f"{file} holds no object of JSON")  # noqa: TRY004 - a file's fault, told as such
    return options


def _acknowledge(emitter: UsageEmitter, report: Report, seconds: float) -> None:
    """Waits until the events in the spool are sent, if Kafka answers."""
    with contextlib.suppress(TimeoutError):
        if report.spooled:
            emitter.flush(seconds)
            report.acknowledged, report.spooled = report.acknowledged + report.spooled, 0


def _stopped(report: Report, why: str, status: int) -> int:
    _say_faults(report)
    _say(why)
    if report.last_line:
        _say(
            f"stopped: up to line {report.last_line} all is charged. Run it again, from the start or with --start-line "
            f"{report.last_line + 1}: nothing is charged twice"
        )
    return status


def _tell(report: Report, arguments: argparse.Namespace, seconds: float) -> int:
    _say_faults(report)
    charged = report.acknowledged + report.spooled
    verb = "would be charged" if arguments.dry_run else "charged"
    print(  # noqa: T201 - a command's answer
        f"{arguments.month:%Y-%m}: {charged} {verb}, {report.not_held} not held, {len(report.faults)} with faults, "
        f"in {seconds:.1f} s"
    )
    if report.spooled:
        _say(
            f"Kafka did not acknowledge {report.spooled} of them within {arguments.wait:g} s: they are in "
            f"{arguments.spool}, and sent by the next run"
        )
    if report.faults and not arguments.dry_run:
        _say("mend these lines and run it all again: what is charged is not charged twice")
    return 1 if report.faults or report.spooled else 0


def _say_faults(report: Report) -> None:
    for fault in report.faults[:MOST_FAULTS_SHOWN]:
        _say(f"line {fault.line}: {fault.why}")
    if len(report.faults) > MOST_FAULTS_SHOWN:
        _say(f"and {len(report.faults) - MOST_FAULTS_SHOWN} more lines with faults")


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC).date()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no month such as 2026-12") from None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - a command
