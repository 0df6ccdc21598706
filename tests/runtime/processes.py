"""Processes of ours that are started to see how they end: many, so none of them loads its libraries anew."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

LIBRARIES = ["aggregator.app", "stripe_sync.process.service", "api.app", "local.stripe.app", "ops.status", "ops.up"]
SECONDS = 60.0

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(LIBRARIES)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process has ended, and what it has said."""

    code: int | None
    output: str
    errors: str


@dataclass(frozen=True, slots=True)
class Asked:
    """A process to be started: `python -m` with these words, these BILLING_* variables and no others."""

    words: Sequence[str]
    settings: Mapping[str, str]


def ended_processes(asked: Sequence[Asked], directory: Path, at_once: int) -> list[Ended]:
    """How each has ended that was started in a directory, some at a time; one that hangs has the code None."""
    endings: list[Ended | None] = [None] * len(asked)
    waiting, running = list(enumerate(asked)), dict[Any, tuple[int, Any]]()
    while waiting or running:
        while waiting and len(running) < at_once:
            number, each = waiting.pop(0)
            process = _forks.Process(target=_run, args=(list(each.words), dict(each.settings), directory, number))
            process.start()
            running[process.sentinel] = number, process
        over = wait(list(running), SECONDS) or list(running)
        for number, process in [running.pop(sentinel) for sentinel in over]:
            code = process.exitcode
            process.kill()
            endings[number] = Ended(code, *(_said(directory, number, end).read_text() for end in ("out", "err")))
    return [each for each in endings if each is not None]


def _said(directory: Path, number: int, end: str) -> Path:
    return directory / f"{number}.{end}"


def _run(words: list[str], settings: dict[str, str], directory: Path, process: int) -> None:
    """In the new process: becomes what `python -m` would have started."""
    for name in [name for name in os.environ if name.startswith("BILLING_")]:
        del os.environ[name]
    os.environ.update(settings)
    for number, end in ((1, "out"), (2, "err")):
        os.dup2(os.open(_said(directory, process, end), os.O_WRONLY | os.O_CREAT), number)
    os.chdir(directory)
    sys.argv = list(words)
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
