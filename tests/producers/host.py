"""A foreign service: a virtualenv with the producers' wheel, and packages with names like ours."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PRODUCERS = ROOT / "producers"
ITS_OWN = ("metering.py", "api/__init__.py", "producers/__init__.py", "runtime.py")
INSTALL_SECONDS = 90


class Host(NamedTuple):
    """Where the service lies, and its Python."""

    directory: Path
    python: Path

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        """Runs code as the service would: from its directory, with its own packages first."""
        file = self.directory / "service.py"
        file.write_text(code)
        return subprocess.run(
            [self.python, file], cwd=self.directory, capture_output=True, text=True, timeout=60, check=False
        )

    def packages(self) -> set[str]:
        """The installed packages, without those that every virtualenv has."""
        listed = _run([self.python, "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"])
        names = {line.partition("==")[0].lower().replace("_", "-") for line in listed.splitlines() if "==" in line}
        return names - {"pip", "setuptools"}


def build_wheel(directory: Path) -> Path:
    """The producers' wheel, as their build backend makes it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    _run(command, cwd=PRODUCERS)
    (wheel,) = directory.glob("*.whl")
    return wheel


def make_host(directory: Path, wheel: Path) -> Host:
    """Installs the wheel for a service with packages of its own; skips where the package index can't be reached."""
    for name in ITS_OWN:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("MINE = True\n")
    _run([sys.executable, "-m", "venv", str(directory / "venv")])
    python = directory / "venv" / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    try:
        subprocess.run([*command, str(wheel)], check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the package index can't be reached: {str(error.stderr)[-300:]}")
    return Host(directory, python)


def readme_example() -> str:
    """The first Python block of the producers' README."""
    found = re.search(r"```python\n(.+?)```", (PRODUCERS / "README.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def _run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS).stdout
