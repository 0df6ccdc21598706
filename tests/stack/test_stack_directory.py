"""A stack's directory and its files."""

import json
import stat
from pathlib import Path

import pytest

from local.stack.description import StackFile, read_stack_env, remove_stack_file
from local.stack.directory import Kept, StackDirectory
from local.stack.errors import StackError
from local.stack.private_file import replace_private
from local.stack.supervisor import RunningProcess


def test_one_stack_at_a_time(tmp_path: Path) -> None:
    """The second one is told so; when the first has gone the directory is free."""
    directory = StackDirectory(tmp_path)
    with directory.locked(), pytest.raises(StackError, match="runs in"), directory.locked():
        pass
    with directory.locked():
        pass


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    """Nothing before the first start; then the same."""
    directory, kept = StackDirectory(tmp_path), Kept("ours", 12, {"api": 5})
    assert directory.read_kept() is None
    directory.keep(kept)
    assert directory.read_kept() == kept


def test_clearing_spares_what_a_stack_has_not_made(tmp_path: Path) -> None:
    """--fresh in a directory with other things in it removes the stack's own only."""
    directory = StackDirectory(tmp_path)
    directory.keep(Kept("ours", 12))
    (directory.data / "kafka").mkdir(parents=True)
    (tmp_path / "cache").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    directory.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "notes.txt"]


def test_stack_json_is_private_and_complete(tmp_path: Path) -> None:
    """Readable by its owner only: it holds keys."""
    processes = [RunningProcess("redis", 7, tmp_path / "redis.log")]
    StackFile({"BILLING_API_URL": "http://x"}, {"acct": "tk"}, processes).write(tmp_path)
    file = tmp_path / "stack.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text()) == {
        "env": {"BILLING_API_URL": "http://x"},
        "api_keys": {"acct": "tk"},
        "processes": [{"name": "redis", "pid": 7, "log": str(tmp_path / "redis.log")}],
    }
    assert read_stack_env(tmp_path) == {"BILLING_API_URL": "http://x"}
    remove_stack_file(tmp_path)
    assert read_stack_env(tmp_path) is None


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The old file stays as it was for whoever has it open, and nothing else is left behind."""
    file = tmp_path / "file"
    replace_private(file, "old")
    with file.open() as reader:
        replace_private(file, "new")
        assert reader.read() == "old"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]
