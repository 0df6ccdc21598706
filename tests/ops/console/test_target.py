"""The system that a command talks to."""

from pathlib import Path

import pytest

from local.stack.description import StackFile
from ops.console.errors import OpsError
from ops.console.target import DEFAULT_DIRECTORY, KAFKA, REDIS, find_env


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stack(directory: Path, name: str) -> None:
    """A directory's stack.json."""
    StackFile({KAFKA: name}, {}, []).write(directory)


def test_a_named_directory_goes_first(here: Path) -> None:
    """Before the environment, and before the stack in .local."""
    stack(here / "named", "named")
    stack(here / DEFAULT_DIRECTORY, "default")
    assert find_env(Path("named"), {KAFKA: "environment"}, KAFKA)[KAFKA] == "named"


def test_the_environment_goes_next(here: Path) -> None:
    """If the environment sets one of the command's variables, the command uses only the environment."""
    stack(here / DEFAULT_DIRECTORY, "default")
    environ = {REDIS: "redis://far"}
    assert find_env(None, environ, KAFKA, REDIS) is environ


def test_the_stack_here_goes_last(here: Path) -> None:
    """Variables that the command does not need are ignored."""
    stack(here / DEFAULT_DIRECTORY, "default")
    assert find_env(None, {"BILLING_HTTP_PORT": "1"}, KAFKA, REDIS)[KAFKA] == "default"


def test_without_any_the_command_says_what_to_do(here: Path) -> None:
    """The error says how to start a stack, and which variable to set."""
    with pytest.raises(OpsError, match=rf"billing up.*{KAFKA}"):
        find_env(None, {}, KAFKA)


def test_a_named_directory_without_a_stack_is_an_error(here: Path) -> None:
    """The environment is not used instead."""
    with pytest.raises(OpsError, match="nothing"):
        find_env(Path("nothing"), {KAFKA: "environment"}, KAFKA)
