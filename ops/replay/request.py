"""Turns the options of the command into a replay."""

from dataclasses import dataclass
from pathlib import Path

from ops.console.arguments import check_account_id, parse_time
from ops.console.errors import OpsError
from ops.replay.plan import LogRange, check_unchanged, plan_files, plan_log
from ops.replay.progress import Part, Progress
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """The options that select events, as the person typed them."""

    file: Path | None = None
    topic: str | None = None
    partition: int | None = None
    offsets: str | None = None
    start: str | None = None
    end: str | None = None
    account: str | None = None

    @property
    def of_topic(self) -> bool:
        """Returns whether the options name a stretch of a topic."""
        return any(each is not None for each in (self.topic, self.partition, self.offsets, self.start, self.end))


def new_replay(settings: KafkaSettings, request: ReplayRequest, *, send_rejected: bool, quarantined: bool) -> Progress:
    """Returns a replay of the selected events, at its beginning.

    Raises:
        OpsError: the options select nothing, contradict each other, or name something that does not exist.
    """
    if request.account is not None:
        check_account_id(request.account)
    parts: list[Part]
    if request.file is not None:
        if request.of_topic:
            raise OpsError("name a file or a stretch of a topic, not both")
        parts = [*plan_files(request.file)]
    elif request.of_topic or request.account is not None:
        parts = [*plan_log(settings, _log_range(settings, request))]
    else:
        raise OpsError(
            "say which events: --file; or of a topic --from, --to, --partition, --offsets or --account "
            "(--from 1970-01-01T00:00:00Z is everything)"
        )
    return Progress(
        servers=settings.kafka_bootstrap_servers,
        parts=parts,
        account=request.account,
        send_rejected=send_rejected,
        quarantined=quarantined,
    )


def check_resumable(settings: KafkaSettings, request: ReplayRequest, progress: Progress) -> None:
    """Refuses to continue if the options or the surroundings have changed since the replay began.

    Raises:
        OpsError: the options select events, or Kafka's address or a file has changed.
    """
    if request != ReplayRequest():
        raise OpsError("--resume goes on with what the progress file says: name no events beside it")
    if progress.servers != settings.kafka_bootstrap_servers:
        raise OpsError(
            f"the replay was begun on Kafka at {progress.servers}, and this is {settings.kafka_bootstrap_servers}: "
            "name the same, or remove the progress file and start anew, which counts nothing twice"
        )
    check_unchanged(progress.parts)


def _log_range(settings: KafkaSettings, request: ReplayRequest) -> LogRange:
    if request.offsets is not None and (request.partition is None or request.start or request.end):
        raise OpsError("--offsets A:B goes with --partition, and without --from and --to")
    first, end = _offsets(request.offsets)
    return LogRange(
        topic=request.topic or TopicNames(settings.topic_prefix).usage,
        partition=request.partition,
        account=request.account,
        start_ms=None if request.start is None else parse_time("--from", request.start) * 1000,
        end_ms=None if request.end is None else parse_time("--to", request.end) * 1000,
        first=first,
        end=end,
    )


def _offsets(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    first, colon, end = text.partition(":")
    if not colon or not all(part == "" or (part.isdecimal() and part.isascii()) for part in (first, end)):
        raise OpsError(f"--offsets {text!r}: write A:B, A included and B not, such as 100:200, 100: or :200")
    return int(first) if first else None, int(end) if end else None
