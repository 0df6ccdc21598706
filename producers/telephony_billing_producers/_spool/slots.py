"""The spool's directory: a slot for each process, and no slot that nobody looks after.

A process takes the first slot that is free. A slot is free when no living process holds its lock, so a dead process's
slot is taken by the next one with all that lies in it; and what lies in other free slots is taken over by whoever is
connected and has sent its own.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..errors import SpoolCorruptError, SpoolLockedError
from .lock import lock
from .segment import SEGMENTS
from .spool import Spool

log = logging.getLogger(__name__)

_told: set[str] = set()

MOST_SLOTS = 1000
"""Processes on one directory. More are a mistake: a directory that is shared by machines, say."""


def open_slot(directory: Path, *, max_bytes: int) -> Spool:
    """The first slot that nobody holds, with what an earlier process left in it.

    A slot with something that can't be read is passed by, and told of: one damaged file stops no service.

    Raises:
        SpoolLockedError: there is none.
        OSError: the directory can't be made or written.
    """
    for number in range(MOST_SLOTS):
        try:
            return Spool(directory / f"slot-{number:03d}", max_bytes=max_bytes)
        except SpoolLockedError:
            continue
        except SpoolCorruptError as error:
            _tell(error)
    raise SpoolLockedError(f"{MOST_SLOTS} emitters use the spool {directory}: give some of them another directory")


def take_over(spool: Spool, directory: Path) -> int:
    """Moves what lies in one slot that nobody holds into a spool; gives how many events that were.

    What can't be read stays where it is, and is told of.

    Raises:
        OSError: the disk refuses; what was not moved is where it was.
    """
    for slot in _slots(directory):
        if slot == spool.directory or not any(slot.glob(SEGMENTS)):
            continue
        try:
            descriptor = lock(slot)
        except SpoolLockedError:
            continue
        try:
            events = spool.take_over(slot)
        except SpoolCorruptError as error:
            _tell(error)
            continue
        finally:
            os.close(descriptor)
        if events:
            return events
    return 0


def bytes_of_all(directory: Path) -> int:
    """Bytes that wait in every slot, whoever holds it."""
    total = 0
    for slot in _slots(directory):
        for path in slot.glob(SEGMENTS):
            with suppress(FileNotFoundError):  # sent meanwhile
                total += path.stat().st_size
    return total


def _tell(error: SpoolCorruptError) -> None:
    """Once for each file and fault: the gauge of all slots' bytes goes on telling."""
    if str(error) not in _told:
        _told.add(str(error))
        log.error("%s", error)


def _slots(directory: Path) -> Iterator[Path]:
    yield from sorted(directory.glob("slot-[0-9][0-9][0-9]"))
