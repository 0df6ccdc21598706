"""Child processes: started, watched, stopped, and never left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from local.servers.process import Command, ServerError, ServerProcess
from tests.support.eventually import eventually

FOR_EVER = "while :; do sleep 1; done"


def shell(tmp_path: Path, script: str) -> ServerProcess:
    """A server that is a shell script, ready once the file `ready` is there."""
    command = Command(["/bin/sh", "-c", script], tmp_path / "log", cwd=tmp_path)
    return ServerProcess("thing", command, (tmp_path / "ready").exists)


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[ServerProcess]]:
    """A list whose servers are killed after the test."""
    started: list[ServerProcess] = []
    yield started
    for server in started:
        server.kill()


def test_start_waits_until_ready_and_stop_ends_it(tmp_path: Path, servers: list[ServerProcess]) -> None:
    """After start the server answers; after stop it is gone, with the exit code of its own clean end."""
    server = shell(tmp_path, f"trap 'exit 3' TERM; touch ready; {FOR_EVER}")
    servers.append(server)
    assert (server.pid, server.poll(), server.running) == (None, None, False)
    server.start(timeout=10)
    assert server.running
    assert server.stop(timeout=10) == 3
    assert not server.running
    assert server.stop() == 3


def test_a_server_that_ignores_the_request_is_killed(tmp_path: Path, servers: list[ServerProcess]) -> None:
    """After stop's deadline the whole process group is killed, children included."""
    server = shell(tmp_path, f"trap '' TERM; sleep 1000 & echo $! > child; touch ready; {FOR_EVER}")
    servers.append(server)
    server.start(timeout=10)
    child = int((tmp_path / "child").read_text())
    assert server.stop(timeout=0.2) == -signal.SIGKILL
    eventually(lambda: _gone(child), what="the child's end")


def test_a_server_that_ends_while_starting_is_an_error_with_its_log(tmp_path: Path) -> None:
    """The error has the exit code and the last lines of the log."""
    server = shell(tmp_path, "echo out of luck >&2; exit 7")
    with pytest.raises(ServerError, match=r"(?s)thing ended with exit code 7 while starting.*out of luck"):
        server.start(timeout=10)


def test_a_server_that_never_answers_is_killed(tmp_path: Path, servers: list[ServerProcess]) -> None:
    """At the deadline the server is killed and the error says how long it was waited for."""
    server = shell(tmp_path, FOR_EVER)
    servers.append(server)
    with pytest.raises(ServerError, match=r"did not answer within 0\.2 s"):
        server.start(timeout=0.2)
    assert not server.running


def test_a_missing_program_is_an_error(tmp_path: Path) -> None:
    """A program that does not exist fails the start, and its name is in the error."""
    server = ServerProcess("thing", Command([str(tmp_path / "nowhere")], tmp_path / "log"), lambda: False)
    with pytest.raises((ServerError, FileNotFoundError), match="nowhere"):
        server.start(timeout=10)


def test_a_running_server_is_not_started_twice(tmp_path: Path, servers: list[ServerProcess]) -> None:
    """A second spawn is refused and leaves the first process alone."""
    server = shell(tmp_path, FOR_EVER)
    servers.append(server)
    server.spawn()
    with pytest.raises(ServerError, match="running already"):
        server.spawn()
    assert server.running


def test_the_child_is_out_of_reach_of_ctrl_c(tmp_path: Path, servers: list[ServerProcess]) -> None:
    """The child leads a session of its own, so that the terminal's signals reach only the supervisor."""
    server = shell(tmp_path, f"touch ready; {FOR_EVER}")
    servers.append(server)
    server.start(timeout=10)
    assert server.pid is not None
    assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_the_child_dies_with_a_killed_parent(tmp_path: Path) -> None:
    """A supervisor that is killed with kill -9 leaves no server behind."""
    program = (
        "import sys, time; from pathlib import Path; from local.servers.process import Command, ServerProcess\n"
        f"server = ServerProcess('thing', Command(['sleep', '1000'], Path({str(tmp_path / 'log')!r})))\n"
        "server.start(); print(server.pid, flush=True); time.sleep(1000)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert not _gone(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    eventually(lambda: _gone(child), what="the child's end")


def _gone(pid: int) -> bool:
    """Whether the process has ended; one that nobody waits for stays as a zombie."""
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
