"""Processes that a supervisor left behind: found by a variable in their environment, and ended.

On Linux the kernel ends a supervisor's children with it (`local.tether`); elsewhere, and for what they started
themselves, the next start does it.
"""

from pathlib import Path

import psutil

# In the environment of every child of a stack's supervisor.
MARK = "BILLING_STACK_DIRECTORY"
END_SECONDS = 10.0


def end_orphans(directory: Path) -> list[int]:
    """Kills every process that carries the directory's mark, waits until they are gone, and gives their ids.

    To be called by whoever holds the directory's lock: then nothing that carries the mark has a supervisor.
    """
    spared = {0, *(process.pid for process in [psutil.Process(), *psutil.Process().parents()])}
    orphans = [
        process for process in psutil.process_iter() if process.pid not in spared and _marked(process, directory)
    ]
    for orphan in orphans:
        _kill(orphan)
    psutil.wait_procs(orphans, timeout=END_SECONDS)
    return [orphan.pid for orphan in orphans]


def _marked(process: psutil.Process, directory: Path) -> bool:
    try:
        return process.environ().get(MARK) == str(directory)
    except (psutil.Error, OSError):  # another user's, or gone
        return False


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return
