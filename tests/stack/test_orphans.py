"""What a supervisor left behind."""

import os
import subprocess
import sys
from pathlib import Path

import psutil

from local.orphans import MARK, end_orphans

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_marked_processes_of_the_directory_are_ended(tmp_path: Path) -> None:
    """Those of another directory, and all others, are left alone."""
    with (
        subprocess.Popen(SLEEP, env=os.environ | {MARK: str(tmp_path)}) as ours,
        subprocess.Popen(SLEEP, env=os.environ | {MARK: f"{tmp_path}-other"}) as others,
    ):
        try:
            assert end_orphans(tmp_path) == [ours.pid]
            assert not psutil.pid_exists(ours.pid)
            assert others.poll() is None
        finally:
            others.kill()
            ours.kill()


def test_this_process_is_spared(tmp_path: Path) -> None:
    """A supervisor that was itself started with the mark does not end itself."""
    program = (
        "import pathlib, sys; from local.orphans import end_orphans; print(end_orphans(pathlib.Path(sys.argv[1])))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env=os.environ | {MARK: str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
