"""The parts and the progress of a replay, and the file that keeps them, so that a replay that died can continue."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from ops.console.errors import OpsError


class LogPart(BaseModel):
    """The offsets [next, end) of a partition; `next` moves as the replay goes on."""

    kind: Literal["log"] = "log"
    topic: str
    partition: int
    next: int
    end: int


class FilePart(BaseModel):
    """The lines [next, end) of a file, counted from 0; a changed `size` (bytes) shows that the file has changed."""

    kind: Literal["file"] = "file"
    path: Path
    size: int
    next: int = 0
    end: int


Part = LogPart | FilePart


class Progress(BaseModel):
    """A replay, and how far it is.

    Attributes:
        servers: the Kafka that it reads and writes.
        parts: the parts to replay, in this order.
        account: only this account's events; None: all events.
        send_rejected: also send events that would be rejected; they become dead letters.
        quarantined: also publish records that a person ordered to pass by.
        sent: the number of records that Kafka has acknowledged.
        rejected: the number of events that would be rejected, by reason.
    """

    servers: str
    parts: list[Annotated[Part, Field(discriminator="kind")]]
    account: str | None = None
    send_rejected: bool = False
    quarantined: bool = False
    sent: int = 0
    rejected: dict[str, int] = Field(default_factory=dict)

    @property
    def remaining(self) -> int:
        """Returns the number of offsets and lines that are still to be read."""
        return sum(max(part.end - part.next, 0) for part in self.parts)


def save_progress(path: Path, progress: Progress) -> None:
    """Replaces the file in one step: a kill at any moment leaves the old or the new file."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(progress.model_dump_json(indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load_progress(path: Path) -> Progress:
    """Reads the replay from its file.

    Raises:
        OpsError: the file does not exist, or does not hold a replay.
    """
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise OpsError(f"{path} does not exist: there is no replay to resume, or it has ended") from error
    except ValidationError as error:
        raise OpsError(f"{path} does not tell of a replay: remove it, and start the replay anew") from error
