"""The events of a run in their order: printed at once, and kept for the end."""

import time
from collections import Counter
from threading import Lock


class Story:
    """Told by several threads; moments are seconds since the beginning."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._lock = Lock()
        self.lines: list[str] = []
        self.happened: Counter[str] = Counter()

    def now(self) -> float:
        """The moment."""
        return time.monotonic() - self._began

    def tell(self, what: str) -> None:
        """Says what happens now."""
        with self._lock:
            self.lines.append(f"{self.now():7.2f}  {what}")
            print(self.lines[-1], flush=True)  # noqa: T201 - the story is what a person reads

    def count(self, what: str) -> None:
        """Notes that something of a kind happened once more."""
        with self._lock:
            self.happened[what] += 1
