"""Setting Redis back: an append-only file cut to where it ended some time ago is an older state of the server."""

import os
from collections import deque
from pathlib import Path
from typing import NamedTuple

KEPT_NOTES = 1000


class _Note(NamedTuple):
    at: float
    file: Path
    size: int


class RedisPast:
    """Remembers how long the append-only file of a data directory was when."""

    def __init__(self, data: Path) -> None:
        self._directory = data / "appendonlydir"
        self._notes: deque[_Note] = deque(maxlen=KEPT_NOTES)

    def note(self, now: float) -> None:
        """Looks at the file; `now` in seconds of any clock that only grows."""
        if (file := self._current()) is not None:
            self._notes.append(_Note(now, file, file.stat().st_size))

    def cut(self, before: float) -> int:
        """Cuts the file to its last length noted before a moment, else to its first one; gives the bytes cut off.

        The server must not run. A command that is cut in two is dropped by the server when it loads the file.
        """
        file = self._current()
        sizes = [note.size for note in self._notes if note.file == file and note.at <= before]
        sizes = sizes[-1:] or [note.size for note in self._notes if note.file == file][:1]
        if file is None or not sizes:
            return 0
        lost = file.stat().st_size - sizes[0]
        os.truncate(file, sizes[0])
        self._notes = deque((note for note in self._notes if note.size <= sizes[0]), KEPT_NOTES)
        return lost

    def _current(self) -> Path | None:
        """The file that is appended to, by the manifest: its last line of type i."""
        try:
            lines = (self._directory / "appendonly.aof.manifest").read_text().split("\n")
        except FileNotFoundError:
            return None
        names = [words[1] for words in map(str.split, lines) if words[-2:] == ["type", "i"]]
        return self._directory / names[-1] if names else None
