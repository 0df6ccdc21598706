"""Downloads Kafka's jars once into a cache, and verifies them before every boot.

The lock file (`kafka.lock.toml`, written by `python -m local.servers.kafka_lock`) lists the jars with their SHA-256.
If all jars in the cache are intact, the network is not used. A missing or altered jar is downloaded again, from jgo's
default remote repository and from those that the user's jgo configuration file adds or replaces.
"""

import fcntl
import hashlib
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.config import GlobalSettings
from jgo.constants import MAVEN_CENTRAL_URL
from jgo.env import LockFile
from jgo.maven import MavenContext

LOCK_FILE = Path(__file__).with_name("kafka.lock.toml")
REPOSITORY = "maven"
DOWNLOADS = 8  # at once
ATTEMPTS = 3  # to download all missing jars
TIMEOUT_SECONDS = 30  # seconds for one request

log = logging.getLogger(__name__)


class JarError(RuntimeError):
    """Kafka's jars are missing or altered, and could not be downloaded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One locked jar: Maven coordinates and the SHA-256 of its bytes, in hexadecimal."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, repository: Path) -> Path:
        """Returns the jar's path in Maven's repository layout."""
        return repository.joinpath(
            *self.group.split("."), self.artifact, self.version, f"{self.artifact}-{self.version}.jar"
        )

    def intact(self, repository: Path) -> bool:
        """Returns whether the file exists and has the locked bytes."""
        try:
            with self.path(repository).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256
        except FileNotFoundError:
            return False


def kafka_jars(cache: Path, lock_file: Path = LOCK_FILE) -> list[Path]:
    """Returns the class path of a Kafka broker: all jars of the lock file, verified.

    Missing and altered jars are downloaded, by one process at a time.

    Raises:
        JarError: a jar can't be downloaded, or still differs from the lock file after a new download.
    """
    jars = locked_jars(lock_file)
    repository = cache / REPOSITORY
    if not_intact(jars, repository):
        with _exclusive(cache):
            _bring(jars, repository)
    return [jar.path(repository) for jar in jars]


def locked_jars(lock_file: Path = LOCK_FILE) -> list[Jar]:
    """Reads the lock file. Raises `JarError` if a jar has no checksum: unverified jars must not run."""
    jars = [
        Jar(locked.groupId, locked.artifactId, locked.version, locked.sha256 or "")
        for locked in LockFile.load(lock_file).dependencies
    ]
    unsafe = [jar.artifact for jar in jars if not jar.sha256]
    if unsafe:
        raise JarError(
            f"{lock_file} has no sha256 for {', '.join(unsafe)}: write it anew (python -m local.servers.kafka_lock)"
        )
    return jars


def not_intact(jars: Iterable[Jar], repository: Path) -> list[Jar]:
    """Returns the jars that are missing in the repository, or have other bytes than the locked ones."""
    return [jar for jar in jars if not jar.intact(repository)]


def maven_context(repository: Path) -> MavenContext:
    """Returns jgo's context: it keeps jars only in `repository`, and downloads them from the configured remotes."""
    remotes = {"central": MAVEN_CENTRAL_URL, **GlobalSettings.load().repositories}
    return MavenContext(repo_cache=repository, remote_repos=remotes, timeout=TIMEOUT_SECONDS)


def _bring(jars: list[Jar], repository: Path) -> None:
    failures: dict[Jar, str] = {}
    for _ in range(ATTEMPTS):
        missing = not_intact(jars, repository)
        if not missing:
            return
        log.info("downloading %d of Kafka's %d jars to %s", len(missing), len(jars), repository)
        failures = _download(missing, repository)
    still_missing = not_intact(jars, repository)
    if still_missing:
        raise JarError(_explain(still_missing, failures, repository))


def _download(jars: list[Jar], repository: Path) -> dict[Jar, str]:
    """Replaces the jars by new downloads. Returns the failed ones with the reasons."""
    context = maven_context(repository)

    def failure(jar: Jar) -> str | None:
        jar.path(repository).unlink(missing_ok=True)
        try:
            context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (requests.RequestException, OSError, RuntimeError) as error:  # jgo raises RuntimeError: not found
            return str(error)
        return None

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        return {jar: reason for jar, reason in zip(jars, pool.map(failure, jars), strict=True) if reason}


def _explain(jars: list[Jar], failures: dict[Jar, str], repository: Path) -> str:
    lines = [
        f"- {jar.group}:{jar.artifact}:{jar.version}: " + failures.get(jar, f"SHA-256 is not {jar.sha256}")
        for jar in jars
    ]
    return "\n".join(
        [
            f"{len(jars)} of Kafka's jars could not be brought to {repository}, in {ATTEMPTS} attempts:",
            *lines,
            "Check the network (only the first start needs it) and the Maven repositories in jgo's configuration",
            "file; if a checksum differs, what that repository serves is not what was locked. Then start again.",
        ]
    )


@contextmanager
def _exclusive(cache: Path) -> Iterator[None]:
    """Holds the lock of the cache; the kernel releases it when the process ends, even after a kill."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "download.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
