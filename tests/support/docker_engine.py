"""Whether a Docker engine answers, and whether it has an image or can get it: decided quickly, never hanging."""

import time

import docker
import requests
from docker.errors import DockerException

# A socket that accepts and does not answer is no engine.
ANSWER_SECONDS = 2
# A pull may take long, but not without progress.
STALL_SECONDS = 30
PULL_SECONDS = 600


def answers() -> bool:
    """Whether the engine that the environment names (DOCKER_HOST, else the usual socket) answers."""
    try:
        client = docker.from_env(timeout=ANSWER_SECONDS)
    except (DockerException, requests.RequestException, OSError):
        return False
    try:
        return bool(client.ping())
    except (DockerException, requests.RequestException, OSError):
        return False
    finally:
        client.close()


def get_image(name: str) -> str | None:
    """Make sure that the engine has the image; None when it has, else why it cannot be got."""
    try:
        client = docker.from_env(timeout=STALL_SECONDS)
        try:
            return None if client.images.list(name=name) else _pull(client, name)
        finally:
            client.close()
    except (DockerException, requests.RequestException, OSError) as error:
        return str(error)


def _pull(client: docker.DockerClient, name: str) -> str | None:
    repository, _, tag = name.rpartition(":")
    end = time.monotonic() + PULL_SECONDS
    for progress in client.api.pull(repository, tag, stream=True, decode=True):
        if "error" in progress:
            return str(progress["error"])
        if time.monotonic() > end:
            return f"pulling it took more than {PULL_SECONDS} s"
    return None
