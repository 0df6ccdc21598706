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


def test_a_killed_stack_is_told_from_a_running_one(tmp_path: Path) -> None:
    """Its file is believed while its supervisor lives, and not after that: nobody keeps it up to date."""
    directory = StackDirectory(tmp_path)
    with directory.locked():
        StackFile({"BILLING_API_URL": "http://x"}, {}, []).write(tmp_path)
        assert read_stack_env(tmp_path) == {"BILLING_API_URL": "http://x"}
    with pytest.raises(StackError, match=r"was killed: start it again with billing up"):
        read_stack_env(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"env": 3}', '{"processes": []}', "\x00"])
def test_a_damaged_stack_json_is_named(tmp_path: Path, text: str) -> None:
    """With what to do, and without a traceback."""
    (tmp_path / "stack.json").write_text(text)
    with pytest.raises(StackError, match=r"stack\.json can't be read .*billing up"):
        read_stack_env(tmp_path)


@pytest.mark.parametrize(
    "kept", ['{"namespace": "x", "partitions": 0}', '{"namespace": "x", "partitions": "abc"}', "3"]
)
def test_damaged_kept_values_are_named(tmp_path: Path, kept: str) -> None:
    """A number of partitions that no stack can have is refused where it lies."""
    (tmp_path / "kept.json").write_text(kept)
    with pytest.raises(StackError, match=r"kept\.json .*--fresh"):
        StackDirectory(tmp_path).read_kept()


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """With what to do."""
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(StackError, match=r"can't be used as a directory .*--dir"), StackDirectory(file).locked():
        pass


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """The old file stays as it was for whoever has it open, and nothing else is left behind."""
    file = tmp_path / "file"
    replace_private(file, "old")
    with file.open() as reader:
        replace_private(file, "new")
        assert reader.read() == "old"
    assert file.read_text() == "new"
    assert list(tmp_path.iterdir()) == [file]


def test_what_lies_there_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Also where an earlier stack has left it open to others."""
    directory = StackDirectory(tmp_path)
    directory.logs.mkdir(mode=0o755)
    directory.make_private()
    made = (directory.data, directory.logs, directory.demo)
    assert [each.stat().st_mode & 0o777 for each in made] == [0o700] * 3
