"""Real containers: collected only when this directory, or something in it, is named on the command line.

`make test-containers` names it; the plain run needs no Docker.
"""

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.servers.ports import free_ports
from tests.containers.composed import Composed, Ports
from tests.support import docker_engine
from tests.support.servers import KAFKA_IMAGE, REDIS_IMAGE

HERE = Path(__file__).parent
PYTHON_IMAGE = "python:3.12-slim"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the directory out unless it was asked for."""
    named = [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]
    return None if any(path.is_relative_to(HERE) for path in named) else True


@pytest.fixture(scope="session")
def docker() -> None:
    """A Docker engine that answers and has, or can get, the images of Kafka and Redis."""
    if not docker_engine.answers():
        pytest.skip("no Docker engine answers")
    _need(KAFKA_IMAGE)
    _need(REDIS_IMAGE)


@pytest.fixture(scope="session")
def compose_command(docker: None) -> list[str]:
    """Docker Compose: the plugin, else the older program of its own."""
    plugin = ["docker", "compose"]
    if (
        shutil.which("docker")
        and subprocess.run([*plugin, "version"], check=False, capture_output=True).returncode == 0
    ):
        return plugin
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    pytest.skip("neither docker compose nor docker-compose is there")


@pytest.fixture(scope="module")
def composed(compose_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The composed system, built and healthy, under a name and on ports of its own; nothing of it is left behind."""
    _need(PYTHON_IMAGE)
    no_settings = tmp_path_factory.mktemp("compose") / "env"
    no_settings.touch()
    project = Composed(compose_command, f"billing-test-{uuid.uuid4().hex[:8]}", Ports(*free_ports(3)), no_settings)
    try:
        project.up("--build")
        yield project
    finally:
        project.down()
    assert project.leftovers() == []


def _need(image: str) -> None:
    problem = docker_engine.get_image(image)
    if problem:
        pytest.skip(f"{image} cannot be got: {problem}")
