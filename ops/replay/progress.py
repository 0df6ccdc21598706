"""What a replay covers and how far it is: the plan and its file, so that a replay that died can go on."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, ValidationError

from ops.console.errors import OpsError


class LogPart(BaseModel):
    """Offsets [next, end) of a partition; `next` moves."""

    kind: Literal["log"] = "log"
    topic: str
    partition: int
    next: int
    end: int


class FilePart(BaseModel):
    """Lines [next, end) of a file, counted from 0; `size` in bytes tells whether it is still the same."""

    kind: Literal["file"] = "file"
    path: Path
    size: int
    next: int = 0
    end: int


Part = LogPart | FilePart


class Progress(BaseModel):
    """A replay.

    Attributes:
        servers: the Kafka that it reads and writes.
        parts: what it covers, in this order.
        account: only this account's events; None for all.
        send_rejected: whether what would be rejected is sent all the same, to become dead letters.
        quarantined: whether what a person has ordered to be passed by is published as well.
        sent: records that Kafka has acknowledged.
        rejected: events that would be rejected, by reason.
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
        """Offsets and lines that are still to be read."""
        return sum(max(part.end - part.next, 0) for part in self.parts)


def save_progress(path: Path, progress: Progress) -> None:
    """Replaces the file in one step: a kill at any moment leaves the old or the new one."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w") as file:
        file.write(progress.model_dump_json(indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def load_progress(path: Path) -> Progress:
    """The replay that the file tells of.

    Raises:
        OpsError: there is none.
    """
    try:
        return Progress.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise OpsError(f"{path} does not exist: there is no replay to resume, or it has ended") from error
    except ValidationError as error:
        raise OpsError(f"{path} does not tell of a replay: remove it, and start the replay anew") from error
