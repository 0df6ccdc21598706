"""A reader of the documents, who types in a checkout what a page shows, block by block."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from local.servers.kafka_files import default_cache
from tests.docs.blocks import Block
from tests.docs.filling import fill
from tests.docs.output import differs
from tests.docs.pages import ROOT
from tests.support.eventually import eventually

COMMAND_SECONDS = 200.0  # a block of several commands, on a busy machine
STAYS = re.compile(r"^(.+?)\s+# until Ctrl-C$")
ENDED_BY_CTRL_C = {0, 130, -signal.SIGINT}
YES = "y\n" * 10
PROGRAMS = {"python": "python", "js": "node"}
ENDINGS = {"python": ".py", "js": ".mjs"}
_OWN_PYTEST = {"PYTEST_ADDOPTS": f"-c {os.devnull}", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # not this run's
OWN = {".local", ".git", ".pytest_cache"}


def make_checkout(directory: Path, stack: Path) -> Path:
    """A directory that looks like a checkout in which `make up` runs; what is written there is written nowhere else."""
    checkout = directory / "checkout"
    checkout.mkdir()
    for entry in ROOT.iterdir():
        if entry.name not in OWN:
            (checkout / entry.name).symlink_to(entry)
    if not (checkout / ".venv").exists():
        (checkout / ".venv").symlink_to(sys.prefix)
    (checkout / ".local").mkdir()
    (checkout / ".local" / "stack.json").symlink_to(stack / "stack.json")
    (checkout / ".local" / "cache").symlink_to(default_cache())
    return checkout


class Reader:
    """Types the blocks of one page. What a shell has exported stays; what runs until Ctrl-C is ended at the end."""

    def __init__(self, checkout: Path, filled: Mapping[str, str], env: Mapping[str, str]) -> None:
        self._checkout = checkout
        self._filled = dict(filled)
        self._exports = checkout / "exports.sh"
        self._exports.write_text("")
        self._env = self._environment(env)
        self._staying: list[tuple[str, subprocess.Popen[bytes], Path]] = []
        self._said: str | None = None

    def __enter__(self) -> Self:
        """Begins a page."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Leaves nothing behind."""
        for _, process, _ in self._staying:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def take(self, block: Block) -> None:
        """Runs it, saves it, or compares it with what the block before it has printed."""
        text = fill(block.text, self._filled)
        if block.file:
            (self._checkout / block.file).write_text(text)
        elif block.needs and shutil.which(block.needs) is None:
            self._said = None
        elif block.runs:
            self._said = self._type(block, text) if block.language == "sh" else self._run(block, text)
            return
        elif block.language in {"text", "json"} and self._said is not None:
            found = differs(block.language, text, self._said)
            assert found is None, f"{block}: {found}"
        self._said = None

    def press_ctrl_c(self) -> None:
        """What runs until Ctrl-C runs still, and ends as it should."""
        for command, process, log in self._staying:
            assert process.poll() is None, f"{command}: {log.read_text()}"
            os.killpg(process.pid, signal.SIGINT)
        for command, process, log in self._staying:
            assert process.wait(COMMAND_SECONDS) in ENDED_BY_CTRL_C, f"{command}: {log.read_text()}"

    def _run(self, block: Block, text: str) -> str:
        file = self._checkout / f"block{ENDINGS[block.language]}"
        file.write_text(text)
        return self._shell(block, f"{PROGRAMS[block.language]} {file.name}")

    def _type(self, block: Block, text: str) -> str:
        said = ""
        typed: list[str] = []
        for line in text.splitlines():
            stays = STAYS.match(line)
            if stays is None:
                typed.append(line)
                continue
            said += self._shell(block, "\n".join(typed))
            typed = []
            self._start(stays[1])
        return said + self._shell(block, "\n".join(typed))

    def _shell(self, block: Block, commands: str) -> str:
        script = f". ./{self._exports.name}\n{commands}\nexport -p > {self._exports.name}\n"
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self._checkout,
            env=self._env,
            input=YES,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{block}:\n{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _start(self, command: str) -> None:
        log = self._checkout / f"staying-{len(self._staying)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", f". ./{self._exports.name}; exec {command}"],
                cwd=self._checkout,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._staying.append((command, process, log))
        eventually(lambda: log.stat().st_size > 0 or process.poll() is not None, 60, f"a word of {command}")

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """The stack's settings; pip installs into a directory of the checkout, from what is here."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("BILLING_", "PIP_"))}
        site = str(self._checkout / "site")
        pip = {"PIP_TARGET": site, "PIP_UPGRADE": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"}
        path = os.pathsep.join((str(self._checkout / ".venv" / "bin"), clean["PATH"]))
        return clean | dict(env) | pip | {"PATH": path, "PYTHONPATH": site, "PYTHONUNBUFFERED": "1"} | _OWN_PYTEST
