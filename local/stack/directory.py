"""A stack's directory: its paths, its lock, and the values kept from one start to the next."""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.stack.description import LOCK
from local.stack.description import NAME as STACK_FILE
from local.stack.errors import StackError
from local.stack.private_file import replace_private


@dataclass(frozen=True, slots=True)
class Kept:
    """The values that a stack gets at its first start, and keeps.

    Attributes:
        namespace: part of all Stripe identifiers; with another one, Stripe would bill again.
        partitions: the number of shards.
        ports: ports by server.
    """

    namespace: str
    partitions: int
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackDirectory:
    """The paths below one absolute path."""

    root: Path

    @property
    def data(self) -> Path:
        """Returns the directory of the servers' data: Kafka's logs, Redis' file, the Stripe double's state."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """Returns the directory of the log files, one per process."""
        return self.root / "logs"

    @property
    def demo(self) -> Path:
        """Returns the directory of the demo's state."""
        return self.root / "demo"

    @property
    def children(self) -> Path:
        """Returns the file that lists the running processes."""
        return self.root / "children.json"

    @property
    def lock(self) -> Path:
        """Returns the lock file; the supervisor holds it as long as it lives."""
        return self.root / LOCK

    @property
    def _kept(self) -> Path:
        return self.root / "kept.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory's lock; the kernel releases it when the process ends, even after a kill.

        Raises:
            StackError: another supervisor holds the lock; or the path can't be used as a directory.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StackError(
                f"{self.root} can't be used as a directory ({error.strerror}): choose another with --dir"
            ) from error
        with self.lock.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise StackError(
                    f"a stack runs in {self.root} already (process {holder}): stop it, or choose another "
                    "directory with --dir"
                ) from None
            file.truncate(0)
            file.write(f"{os.getpid()}\n")
            file.flush()
            yield

    def clear(self) -> None:
        """Removes everything that a stack has made in this directory, and nothing else."""
        for made in (self.data, self.logs, self.demo):
            shutil.rmtree(made, ignore_errors=True)
        for file in (self._kept, self.root / STACK_FILE):
            file.unlink(missing_ok=True)

    def make_private(self) -> None:
        """Makes the directories for the stack's processes, private to their owner: they hold usage and keys."""
        for made in (self.data, self.logs, self.demo):
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o700)

    def read_kept(self) -> Kept | None:
        """Returns the kept values; None before the first start."""
        try:
            kept = Kept(**json.loads(self._kept.read_text()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, OSError) as error:
            raise StackError(f"{self._kept} can't be read ({error}): mend it, or start anew with --fresh") from error
        if not isinstance(kept.partitions, int) or kept.partitions < 1:
            raise StackError(
                f"{self._kept} says partitions: {kept.partitions!r}: write the number that the topics have, or start "
                "anew with --fresh"
            )
        return kept

    def keep(self, kept: Kept) -> None:
        """Keeps the values for the next start."""
        replace_private(self._kept, json.dumps(asdict(kept), indent=2) + "\n")
