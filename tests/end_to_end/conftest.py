"""One stack for all end-to-end tests, started with the command that people start it with."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.stack import BILLING, Stack
from tests.support.eventually import eventually

BOOT_SECONDS = 90.0
STOP_SECONDS = 60.0


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two aggregators, two Stripe workers, no demo traffic."""
    directory = tmp_path_factory.mktemp("stack")
    options = ["--no-demo", "--aggregators", "2", "--stripe-workers", "2"]
    log = directory / "up.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*BILLING, "up", "--dir", str(directory), *options], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_up(process, directory, log)
        yield Stack(directory)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)


def _wait_up(process: "subprocess.Popen[bytes]", directory: Path, log: Path) -> None:
    def up() -> bool:
        assert process.poll() is None, log.read_text()
        return (directory / "stack.json").exists()

    eventually(up, deadline=BOOT_SECONDS, what="stack.json")
