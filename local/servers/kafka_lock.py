"""Writes Kafka's lock file anew: `python -m local.servers.kafka_lock`, after a change of the coordinates below.

This needs the network. Versions are those that the jars' own POMs state ("raw" in jgo). If the POM of one coordinate
managed the versions of the other, the broker's parts would not fit together.
"""

import tempfile
from pathlib import Path

from jgo.env import LockFile

from local.servers.kafka_jars import LOCK_FILE, maven_context

COORDINATES = (
    "org.apache.kafka:kafka_2.13:4.1.1",
    # Kafka logs through slf4j 1.7; this is its own smallest binding, configured by system properties.
    "org.slf4j:slf4j-simple:1.7.36",
)


def write_lock(lock_file: Path, repository: Path) -> int:
    """Resolves the coordinates into `repository` and writes the lock file. Returns the number of jars."""
    context = maven_context(repository)
    roots = [context.create_dependency(f"{coordinate}!") for coordinate in COORDINATES]
    given, transitive = context.resolver.resolve(roots)
    found = sorted(given + transitive, key=lambda dependency: (dependency.groupId, dependency.artifactId))
    LockFile.from_resolved_dependencies(found).save(lock_file)
    return len(found)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        write_lock(LOCK_FILE, Path(directory))
