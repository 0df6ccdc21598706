"""CloudEvents' SDKs of other languages, brought once into `.local/sdks`, and the Kafka records that they make.

Bringing and building them takes minutes: only `make test-sdks` does it, and what it brought is used from then on. A
test whose language or SDK is not here is skipped with a sentence.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

from local.servers.kafka_jars import JarError, kafka_jars
from metering.content_mode import Headers
from tests.support.servers import JAR_CACHE

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "producers" / "examples"
SDKS = HERE.parents[1] / ".local" / "sdks"
FETCH_SECONDS = 90
BUILD_SECONDS = 570
RUN_SECONDS = 60


class SdkRecord(NamedTuple):
    """What an SDK would write to Kafka."""

    value: bytes
    headers: Headers


def javascript_records() -> Mapping[str, SdkRecord]:
    """By content mode, those of the SDK for JavaScript."""
    _need("node", "npm")
    return _run(["node", str(_brought("javascript", _install_node) / "emit.mjs")])


def java_records() -> Mapping[str, SdkRecord]:
    """By content mode, those of the SDK for Java: its serializer for Kafka, which `java` compiles as it starts."""
    _need("java", "javac")
    try:
        jars = [*kafka_jars(JAR_CACHE, HERE / "java" / "jars.lock.toml"), *kafka_jars(JAR_CACHE)]
    except JarError as error:
        pytest.skip(f"the SDK for Java can't be had: {error}")
    return _run(["java", "-cp", os.pathsep.join(map(str, jars)), str(HERE / "java" / "Emit.java")])


def go_records() -> Mapping[str, SdkRecord]:
    """By content mode, those of the SDK for Go."""
    _need("go")
    return _run([str(_brought("go", _build_go) / "emit")])


def example_command(language: str) -> list[str]:
    """What runs one of the producers' examples, `node`, `go` or `java`; its arguments follow."""
    if language == "java":
        _need("java", "javac")
        try:
            jars = os.pathsep.join(map(str, kafka_jars(JAR_CACHE)))
        except JarError as error:
            pytest.skip(f"Kafka's client for Java can't be had: {error}")
        return ["java", "-cp", jars, str(EXAMPLES / "java" / "Emit.java")]
    if language == "go":
        _need("go")
        return [str(_brought("go", _build_go, EXAMPLES) / "emit")]
    _need("node", "npm")
    return ["node", str(_brought("node", _install_node, EXAMPLES) / "emit.mjs")]


def _install_node(home: Path) -> None:
    _bring(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], home, FETCH_SECONDS)


def _build_go(home: Path) -> None:
    with TemporaryDirectory(dir=home) as caches:
        env = {"GOMODCACHE": f"{caches}/modules", "GOCACHE": f"{caches}/builds", "GOTOOLCHAIN": "local"}
        env["GOFLAGS"] = "-modcacherw -mod=readonly"
        _bring(["go", "mod", "download"], home, FETCH_SECONDS, env)
        subprocess.run(["go", "build", "-o", "emit"], cwd=home, env=os.environ | env, check=True, timeout=BUILD_SECONDS)


def need_leave_to_build() -> None:
    """Skips the test unless it runs under `make test-sdks`."""
    if not os.environ.get("BUILD_SDKS"):
        pytest.skip("it is not built yet: make test-sdks")


def _need(*programs: str) -> None:
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed here")


def _brought(language: str, make: Callable[[Path], None], files: Path = HERE) -> Path:
    """A directory with the language's files, completed by `make` once for as long as they stay as they are."""
    sources = sorted((files / language).iterdir())
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    home = SDKS / f"{language}-{digest}"
    making = home.with_suffix(".new")
    SDKS.mkdir(parents=True, exist_ok=True)
    with _exclusive(SDKS / f"{language}.lock"):
        if not home.exists():
            need_leave_to_build()
            shutil.rmtree(making, ignore_errors=True)
            shutil.copytree(files / language, making)
            make(making)
            making.rename(home)
    return home


@contextmanager
def _exclusive(lock: Path) -> Iterator[None]:
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _bring(command: Sequence[str], home: Path, seconds: float, env: Mapping[str, str] | None = None) -> None:
    """Fetches; skips the test where that can't be done."""
    try:
        told = os.environ | (env or {})
        subprocess.run(command, cwd=home, env=told, check=True, capture_output=True, timeout=seconds)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        pytest.skip(f"the SDK can't be had: {' '.join(command)}: {said[-1] if said else error}")


def _run(command: Sequence[str]) -> Mapping[str, SdkRecord]:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=RUN_SECONDS)
    records = map(json.loads, done.stdout.splitlines())
    return {
        record["mode"]: SdkRecord(
            record["value"].encode(),
            [(name, None if text is None else text.encode()) for name, text in record["headers"]],
        )
        for record in records
    }
