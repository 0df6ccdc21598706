"""Well-known ports that a supervisor has chosen: two that start at the same moment must not both find them free."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import IO


class HeldPorts:
    """Holds ports among the supervisors of this machine's user, for as long as this process lives."""

    def __init__(self, directory: Path | None = None) -> None:
        """`directory` is where the locks are; default: the user's temporary one."""
        self._directory = directory or Path(tempfile.gettempdir())
        self._files: list[IO[str]] = []

    def take(self, port: int) -> bool:
        """Whether the port is this supervisor's now; False if another one has taken it."""
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
