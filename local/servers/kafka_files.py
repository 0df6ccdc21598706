"""Fetches the files that an embedded Kafka needs, and shows the progress of the download."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from local.servers.java import find_java
from local.servers.kafka_jars import REPOSITORY, kafka_jars, locked_jars


@dataclass(frozen=True, slots=True)
class KafkaFiles:
    """A Java and a class path, both checked."""

    java: Path
    class_path: list[Path]


def kafka_files(cache: Path) -> KafkaFiles:
    """Finds or downloads them, and verifies the jars.

    Raises:
        JarError: the jars can't be downloaded.
    """
    return KafkaFiles(find_java(), kafka_jars(cache))


def fetched(cache: Path) -> tuple[int, int]:
    """Returns the number of Kafka's jars in the cache, and the number of all its jars. Does not verify them."""
    jars = locked_jars()
    return sum(jar.path(cache / REPOSITORY).exists() for jar in jars), len(jars)


def fetch_progress(cache: Path) -> Callable[[], str]:
    """Returns a function that returns a line about the progress of the download; empty once no file is missing."""

    def progress() -> str:
        there, wanted = fetched(cache)
        return f"downloading Kafka: {there} of {wanted} files" if there < wanted else ""

    return progress


def default_cache() -> Path:
    """Returns the checkout's `.local/cache`, shared by its stacks; outside a checkout, the user's cache directory."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".local" / "cache"
    return Path.home() / ".cache" / "telephony-billing"
