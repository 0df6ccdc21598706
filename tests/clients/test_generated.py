"""Clients that generators make of the description, checked as strictly as their languages can.

The generators are brought once into `.local/sdks`; where that can't be done the tests are skipped with a sentence.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api.app import create_app
from api.reference.description import Descriptions
from tests.api.calling import settings_of
from tests.sdks.brought import FETCH_SECONDS, _bring, _brought, _install_node, _need

HERE = Path(__file__).parent


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """A directory with both descriptions."""
    descriptions = Descriptions(create_app(settings_of("redis://127.0.0.1:9/0", "")))
    for name, description in (("callers", descriptions.callers()), ("platform", descriptions.platform())):
        (tmp_path / f"{name}.json").write_text(json.dumps(description))
    return tmp_path


def test_typescript_reads_daily_usage_without_a_cast(described: Path) -> None:
    """Given openapi-typescript's types, a program that reads days compiles under strict."""
    node = node_home()
    for name in ("read.ts", "tsconfig.json", "package.json"):
        shutil.copy(HERE / "typescript" / name, described / name)
    (described / "node_modules").symlink_to(node / "node_modules")
    run(node, "openapi-typescript", "callers.json", "-o", "api.ts", at=described)
    run(node, "tsc", at=described)


@pytest.mark.parametrize("name", ["callers", "platform"])
def test_redocly_finds_nothing(described: Path, name: str) -> None:
    """Given redocly's recommended rules, there is neither an error nor a warning."""
    said = run(node_home(), "redocly", "lint", f"{name}.json", "--format=json", at=described)
    totals = json.loads(said[said.index("{") :])["totals"]
    assert (totals["errors"], totals["warnings"]) == (0, 0)


def test_python_types_fit(described: Path) -> None:
    """Given openapi-python-client's output, mypy finds nothing under strict, and no answer was left out."""
    python = _brought("python", _install_python, HERE) / "venv" / "bin" / "python"
    tools = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # it calls ruff
    generate = [python, "-m", "openapi_python_client", "generate", "--path", "callers.json", "--fail-on-warning"]
    done = subprocess.run(
        [*generate, "--output-path", "client"],
        cwd=described,
        env=os.environ | {"PATH": tools},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    mypy = [sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "--config-file", os.devnull]
    checked = subprocess.run(
        [*mypy, "client/billing_client"], cwd=described, capture_output=True, text=True, timeout=100, check=False
    )
    assert checked.returncode == 0, checked.stdout


def node_home() -> Path:
    """Where the generators for JavaScript are."""
    _need("node", "npm")
    return _brought("typescript", _install_node, HERE)


def run(home: Path, program: str, *arguments: str, at: Path) -> str:
    """What one of them prints; it has to succeed."""
    command = [str(home / "node_modules" / ".bin" / program), *arguments]
    environment = os.environ | {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    done = subprocess.run(command, cwd=at, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _install_python(home: Path) -> None:
    """Beside the system's virtualenv: it wants an older typer."""
    _bring([sys.executable, "-m", "venv", "venv"], home, FETCH_SECONDS)
    pip = ["venv/bin/python", "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    _bring([*pip, "-r", "requirements.txt"], home, FETCH_SECONDS)
