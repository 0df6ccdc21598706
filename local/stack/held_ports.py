"""Locks well-known ports, so that two supervisors that start at the same time do not choose the same one."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO


class HeldPorts:
    """Holds ports as long as this process lives, against other supervisors of the same user on this machine."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` holds the lock files; default: the system's temporary directory."""
        self._directory = directory or Path(tempfile.gettempdir())
        self._files: list[IO[str]] = []

    def take(self, port: int) -> bool:
        """Takes the port. Returns False if another supervisor has it."""
        try:
            file = (self._directory / f"telephony-billing-{os.getuid()}-{port}.lock").open("a")
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            return False
        self._files.append(file)
        return True
