"""Writes files that only their owner may read, in one step: a reader sees the old content or the new."""

import os
import tempfile
from pathlib import Path


def replace_private(path: Path, text: str) -> None:
    """Writes the file (mode 0600) in one step; makes its directory if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
