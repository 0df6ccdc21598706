"""A slot's lock: the process that uses the slot holds it; it is free after that process has died."""

import fcntl
import os
from pathlib import Path

from ..errors import SpoolLockedError


def lock(directory: Path) -> int:
    """Locks a directory. Returns the descriptor that holds the lock until it is closed or its process dies.

    Raises:
        SpoolLockedError: another emitter holds it.
        OSError: the directory can't be written.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise SpoolLockedError(f"the spool {directory} is used by another emitter") from None
    return descriptor
