"""The `billing` command itself: its imports and its errors."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops.cli import COMMANDS

NOWHERE = "127.0.0.1:1"


def billing(*arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Runs it in a directory without a stack."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
    return subprocess.run(
        [sys.executable, "-m", "ops", *arguments],
        cwd=cwd,
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_it_tells_its_version(tmp_path: Path) -> None:
    """Name and number on one line."""
    assert billing("--version", cwd=tmp_path).stdout == "billing 0.1.0\n"


def test_help_lists_every_command_and_loads_none(tmp_path: Path) -> None:
    """So the help comes at once."""
    program = (
        "import sys\nfrom ops.cli import app\n"
        "try:\n    app(['--help'])\nfinally:\n    print({'kafka', 'stripe', 'redis', 'pydantic'} & set(sys.modules))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert shown.endswith("set()\n")
    assert all(f" {name} " in shown for name in COMMANDS)


@pytest.mark.parametrize("command", list(COMMANDS))
def test_each_command_has_help(tmp_path: Path, command: str) -> None:
    """With its own options."""
    shown = billing(command, "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert f"billing {command}" in shown.stdout


def test_a_fault_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    """Without a traceback; the line says what to do."""
    failed = billing("accounts", "list", cwd=tmp_path)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith("billing: no stack runs here")
    assert failed.stderr.count("\n") == 1


@pytest.mark.parametrize("arguments", [("topics",), ("keys", "list"), ("accounts", "set", "one")])
def test_an_absent_kafka_is_said_by_its_address(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """There is no traceback, and no log of the client."""
    failed = billing(*arguments, cwd=tmp_path, BILLING_KAFKA_BOOTSTRAP_SERVERS=NOWHERE)
    assert failed.returncode == 1
    assert failed.stderr.startswith("billing: Kafka")
    assert NOWHERE in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_bad_setting_is_named(tmp_path: Path) -> None:
    """By its variable."""
    failed = billing("topics", cwd=tmp_path, BILLING_KAFKA_BOOTSTRAP_SERVERS=NOWHERE, BILLING_PARTITIONS="many")
    assert failed.returncode == 1
    assert failed.stderr.startswith("billing: BILLING_PARTITIONS: ")
