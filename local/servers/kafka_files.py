"""What an embedded Kafka runs on, fetched with a word on how far it is."""

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
        JarError: the jars could not be brought.
    """
    return KafkaFiles(find_java(), kafka_jars(cache))


def fetched(cache: Path) -> tuple[int, int]:
    """How many of Kafka's jars are there, and how many it takes. They are not verified here."""
    jars = locked_jars()
    return sum(jar.path(cache / REPOSITORY).exists() for jar in jars), len(jars)


def fetch_progress(cache: Path) -> Callable[[], str]:
    """A line that tells how the download goes; empty once nothing is missing."""

    def progress() -> str:
        there, wanted = fetched(cache)
        return f"downloading Kafka: {there} of {wanted} files" if there < wanted else ""

    return progress


def default_cache() -> Path:
    """The checkout's `.local/cache`, which all its stacks share; outside a checkout the user's cache directory."""
    checkout = Path(__file__).parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / ".local" / "cache"
    return Path.home() / ".cache" / "telephony-billing"
