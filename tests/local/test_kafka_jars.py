"""Kafka's jars run only with the bytes that the lock file names. The Maven repository here is a loopback server."""

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.servers.kafka_jars import REPOSITORY, Jar, JarError, kafka_jars, locked_jars
from local.servers.kafka_lock import COORDINATES

JAR = Jar("org.example", "greeting", "1.2", hashlib.sha256(b"hello").hexdigest())


class CountingHandler(SimpleHTTPRequestHandler):
    """Serves files and counts the requests."""

    requests = 0

    def do_GET(self) -> None:
        """Count, then serve."""
        type(self).requests += 1
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def remote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository over HTTP that has JAR, configured as jgo's; yields its directory."""
    root = tmp_path / "remote"
    JAR.path(root).parent.mkdir(parents=True)
    JAR.path(root).write_bytes(b"hello")
    CountingHandler.requests = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(CountingHandler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    configuration = tmp_path / "jgo.conf"
    configuration.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))
    yield root
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def lock_file(tmp_path: Path) -> Path:
    """A lock file that names JAR."""
    path = tmp_path / "lock.toml"
    path.write_text(
        f'[[dependencies]]\ngroupId = "{JAR.group}"\nartifactId = "{JAR.artifact}"\nversion = "{JAR.version}"\n'
        f'sha256 = "{JAR.sha256}"\n'
    )
    return path


def test_missing_jars_are_downloaded_once(remote: Path, lock_file: Path, tmp_path: Path) -> None:
    """The first call brings the jar into the cache; the second touches no network."""
    first = kafka_jars(tmp_path / "cache", lock_file)
    requests = CountingHandler.requests
    assert [path.read_bytes() for path in first] == [b"hello"]
    assert kafka_jars(tmp_path / "cache", lock_file) == first
    assert CountingHandler.requests == requests


@pytest.mark.parametrize("content", [b"hellO", b"hel", b""], ids=["altered", "truncated", "empty"])
def test_a_corrupted_jar_is_replaced(remote: Path, lock_file: Path, tmp_path: Path, content: bytes) -> None:
    """A jar in the cache with other bytes than the locked ones is downloaded again before it can run."""
    cached = JAR.path(tmp_path / "cache" / REPOSITORY)
    cached.parent.mkdir(parents=True)
    cached.write_bytes(content)
    kafka_jars(tmp_path / "cache", lock_file)
    assert cached.read_bytes() == b"hello"


def test_a_jar_that_differs_at_its_source_is_refused(remote: Path, lock_file: Path, tmp_path: Path) -> None:
    """When the repository itself serves other bytes, nothing runs and the error names the jar and the checksum."""
    JAR.path(remote).write_bytes(b"something else")
    with pytest.raises(JarError, match=f"org.example:greeting:1.2: SHA-256 is not {JAR.sha256}"):
        kafka_jars(tmp_path / "cache", lock_file)


def test_an_unreachable_source_is_an_error_that_says_what_to_do(
    lock_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without network and jar, the error names the jar and the things to check."""
    configuration = tmp_path / "jgo.conf"
    configuration.write_text("[repositories]\ncentral = http://127.0.0.1:9\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(configuration))
    with pytest.raises(JarError, match=r"(?s)org.example:greeting:1.2.*Check the network"):
        kafka_jars(tmp_path / "cache", lock_file)


def test_stacks_that_share_a_cache_take_turns(remote: Path, lock_file: Path, tmp_path: Path) -> None:
    """Several that find the cache empty at once all get the jar, which is downloaded once."""
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kafka_jars(tmp_path / "cache", lock_file)[0].read_bytes(), range(4)))
    assert found == [b"hello"] * 4
    assert CountingHandler.requests == 2  # the jar and the repository's own checksum of it


def test_a_lock_without_a_checksum_is_refused(lock_file: Path) -> None:
    """A jar that could not be verified may not run."""
    lock_file.write_text(lock_file.read_text().replace("sha256", "md5"))
    with pytest.raises(JarError, match="no sha256 for greeting"):
        locked_jars(lock_file)


def test_the_committed_lock_names_the_coordinates() -> None:
    """The lock file was written for the coordinates that stand in the code."""
    locked = {f"{jar.group}:{jar.artifact}:{jar.version}" for jar in locked_jars()}
    assert locked.issuperset(COORDINATES)
