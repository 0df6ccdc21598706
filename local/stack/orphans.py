"""Ends the processes that a killed supervisor left behind; the next supervisor finds them in a file.

On Linux the kernel ends a supervisor's children with it (`local.servers.tether`); elsewhere only the next start can.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import psutil

from local.stack.private_file import replace_private

END_SECONDS = 10.0  # seconds to wait for the end of killed processes
# Seconds: the precision of a process's start time, by which a reused process id is recognised.
START_SECONDS = 2.0


def note_children(file: Path, pids: Iterable[int]) -> None:
    """Writes the running processes and their start times to the file."""
    children = {}
    for pid in pids:
        try:
            children[pid] = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            continue
    replace_private(file, json.dumps(children) + "\n")


def end_orphans(file: Path) -> list[int]:
    """Kills the processes in the file that still run, waits until they are gone, and returns their ids.

    The caller must hold the directory's lock: then no other supervisor owns these processes.
    """
    try:
        noted = {int(pid): float(start) for pid, start in json.loads(file.read_text()).items()}
    except (FileNotFoundError, ValueError):
        return []
    orphans = [orphan for pid, start in noted.items() if (orphan := _same(pid, start)) is not None]
    for orphan in orphans:
        _kill(orphan)
    psutil.wait_procs(orphans, timeout=END_SECONDS)
    file.unlink(missing_ok=True)
    return [orphan.pid for orphan in orphans]


def _same(pid: int, start: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - start) < START_SECONDS and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return None
    return process if same else None


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
