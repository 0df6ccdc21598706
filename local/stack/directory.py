"""A stack's directory: what lies where, who may use it, and what is kept from one start to the next."""

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
    """What a directory's stack was given at its first start and stays as it is.

    Attributes:
        namespace: part of every Stripe identifier: another one would bill again.
        partitions: how many shards its state has.
        ports: by server.
    """

    namespace: str
    partitions: int
    ports: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StackDirectory:
    """Everything under one absolute path."""

    root: Path

    @property
    def data(self) -> Path:
        """What the embedded servers keep: Kafka's logs, Redis' file, the Stripe double's state."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.root / "logs"

    @property
    def demo(self) -> Path:
        """What the demo remembers."""
        return self.root / "demo"

    @property
    def children(self) -> Path:
        """The notes of which processes run."""
        return self.root / "children.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor for as long as it lives."""
        return self.root / LOCK

    @property
    def _kept(self) -> Path:
        return self.root / "kept.json"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory; the kernel lets go of it when the process ends, however it ends.

        Raises:
            StackError: another supervisor holds it; or it can't be a directory of ours.
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
        """Forgets everything that a stack of this directory has made; touches nothing else."""
        for made in (self.data, self.logs, self.demo):
            shutil.rmtree(made, ignore_errors=True)
        for file in (self._kept, self.root / STACK_FILE):
            file.unlink(missing_ok=True)

    def make_private(self) -> None:
        """Makes what the stack's processes write into, for its owner alone: usage, customers and keys lie there."""
        for made in (self.data, self.logs, self.demo):
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o700)

    def read_kept(self) -> Kept | None:
        """What an earlier start kept; None before the first."""
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
        """Remembers for the next start."""
        replace_private(self._kept, json.dumps(asdict(kept), indent=2) + "\n")
