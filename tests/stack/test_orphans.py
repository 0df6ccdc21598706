"""Processes that a killed supervisor left behind."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from local.stack.orphans import end_orphans, note_children

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_noted_processes_are_ended(tmp_path: Path) -> None:
    """Only those in the file are ended, and only once."""
    notes = tmp_path / "children.json"
    with subprocess.Popen(SLEEP) as ours, subprocess.Popen(SLEEP) as others:
        try:
            note_children(notes, [ours.pid])
            assert end_orphans(notes) == [ours.pid]
            assert not psutil.pid_exists(ours.pid)
            assert others.poll() is None
            assert end_orphans(notes) == []
        finally:
            others.kill()
            ours.kill()


def test_a_process_id_that_was_used_again_is_spared(tmp_path: Path) -> None:
    """The process with this id now has another start time."""
    notes = tmp_path / "children.json"
    with subprocess.Popen(SLEEP) as stranger:
        try:
            started = psutil.Process(stranger.pid).create_time()
            notes.write_text(json.dumps({stranger.pid: started - 60}))
            assert end_orphans(notes) == []
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_without_notes_there_is_nothing_to_end(tmp_path: Path) -> None:
    """Before the first start, and where the notes were cut short."""
    notes = tmp_path / "children.json"
    assert end_orphans(notes) == []
    notes.write_text("{")
    assert end_orphans(notes) == []
