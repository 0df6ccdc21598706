"""The spool's directory: every process has its own slot, and the events of dead processes are sent too.

A process takes the first free slot. A slot is free if no living process holds its lock. So the next process takes the
slot of a dead one, with all events in it. A process that is connected and has sent its own events also takes over the
events in other free slots.
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
"""Processes on one directory. More are probably a mistake, such as a directory shared by several machines."""


def open_slot(directory: Path, *, max_bytes: int) -> Spool:
    """Opens the first free slot, with the events that an earlier process left in it.

    A slot with an unreadable file is skipped, and logged: one damaged file must not stop a service.

    Raises:
        SpoolLockedError: no slot is free.
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
    """Moves the events of one free slot into a spool. Returns the number of events.

    Unreadable files stay in their slot, and are logged.

    Raises:
        OSError: the disk refuses; files that were not moved stay in their slot.
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
    """Returns the bytes that wait in all slots, free or not."""
    total = 0
    for slot in _slots(directory):
        for path in slot.glob(SEGMENTS):
            with suppress(FileNotFoundError):  # sent meanwhile
                total += path.stat().st_size
    return total


def _tell(error: SpoolCorruptError) -> None:
    """Logs an error once per file and fault; the gauge of all slots' bytes keeps showing it."""
    if str(error) not in _told:
        _told.add(str(error))
        log.error("%s", error)


def _slots(directory: Path) -> Iterator[Path]:
    yield from sorted(directory.glob("slot-[0-9][0-9][0-9]"))
