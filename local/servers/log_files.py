"""Limits the size of the services' log files, and reads their last lines."""

import shutil
from contextlib import suppress
from pathlib import Path

MOST_BYTES = 20 * 1024 * 1024  # bytes of one service's log; its predecessor has up to as many
_READ_BYTES = 64 * 1024  # bytes in which the last lines are searched


def keep_small(log: Path, most_bytes: int = MOST_BYTES) -> None:
    """Moves the log's content to `NAME.1` once it has more than `most_bytes`, while its process goes on writing.

    The process appends (O_APPEND), so it continues at the beginning of the emptied file.
    """
    with suppress(OSError):  # no room for a copy, or no file yet: the next look is soon
        if log.stat().st_size > most_bytes:
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
            with log.open("r+b") as file:
                file.truncate(0)


def tail(log: Path, lines: int, start: int = 0) -> list[str]:
    """Returns the last lines of a log, but none before the byte `start`."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            begin = start if start <= size else 0  # else the file was emptied meanwhile
            file.seek(max(begin, size - _READ_BYTES))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except FileNotFoundError:
        return []
