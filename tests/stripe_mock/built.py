"""Stripe's own mock, built from its source: it has Stripe's OpenAPI description, and refuses what is not in it."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest

from local.servers.ports import free_ports
from local.servers.process import Command, ServerProcess
from tests.sdks.brought import need_leave_to_build

VERSION = "v0.203.0"  # carries the description of API version 2026-08-26.dahlia
MODULE = f"github.com/stripe/stripe-mock@{VERSION}"
BUILD_SECONDS = 300.0
CACHE = Path(__file__).parents[2] / ".local" / "cache" / f"stripe-mock-{VERSION}"


def stripe_mock() -> Path:
    """The program, built if it is not there yet; skips the test where that can't be done."""
    program = CACHE / "stripe-mock"
    if not program.exists():
        need_leave_to_build()
        _build(program)
    return program


def _build(program: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not here: Stripe's own mock can't be built")
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as directory:
        command = [go, "install", MODULE]
        env = os.environ | {"GOBIN": directory, "GOFLAGS": "-mod=mod"}
        try:
            built = subprocess.run(command, env=env, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            pytest.skip(f"Stripe's own mock was not built within {BUILD_SECONDS:.0f} s")
        if built.returncode:
            last = (built.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"Stripe's own mock can't be had: {last}")
        Path(directory, "stripe-mock").replace(program)


@contextmanager
def running_mock(program: Path, log: Path) -> Iterator[str]:
    """Serves on loopback; gives its URL."""
    plain, tls = free_ports(2)
    url = f"http://127.0.0.1:{plain}"
    argv = [str(program), "-http-addr", f"127.0.0.1:{plain}", "-https-addr", f"127.0.0.1:{tls}"]
    server = ServerProcess("stripe-mock", Command(argv, log), lambda: _answers(url))
    try:
        server.start()
        yield url
    finally:
        server.kill()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1):  # noqa: S310 - loopback
            return True
    except HTTPError:
        return True  # it refuses who has no key
    except (URLError, OSError):
        return False
