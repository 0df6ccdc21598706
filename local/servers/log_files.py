"""The services' log files: kept small while they are written, and read from where a process began."""

import shutil
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 20 * 1024 * 1024  # of one service's log; as much again is kept of what was written before
_READ_BYTES = 64 * 1024


def keep_small(log: Path, most_bytes: int = MOST_BYTES) -> None:
    """Moves the log's content to `NAME.1` once it is larger than that, under the process that goes on writing.

    A process appends (O_APPEND), so that an emptied file is written on from its beginning.
    """
    with suppress(OSError):  # no room for a copy, or no file yet: the next look is soon
        if log.stat().st_size > most_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate(0)


def tail(log: Path, lines: int, start: int = 0) -> list[str]:
    """The last lines of a log, none of those before the byte `start`."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            begin = start if start <= size else 0  # emptied since
            file.seek(max(begin, size - _READ_BYTES))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
