"""Damages a log like a broken disk: changes batches in a broker's own files; the broker serves them as they are."""

import struct
from collections.abc import Callable
from functools import partial

from local.servers.kafka import KafkaServer

Change = Callable[[bytearray], bytearray]


def damage(server: KafkaServer, topic: str, partition: int, offset: int, change: Change) -> Callable[[], None]:
    """Changes in place the batch whose first record is `offset`. Returns a function that mends it."""
    (segment,) = (server.data / "log" / f"{topic}-{partition}").glob("*.log")
    data, at = segment.read_bytes(), 0
    while struct.unpack_from(">q", data, at)[0] != offset:
        at += 12 + struct.unpack_from(">i", data, at + 8)[0]
    original = data[at : at + 12 + struct.unpack_from(">i", data, at + 8)[0]]

    def write(raw: bytes | bytearray) -> None:
        assert len(raw) == len(original)
        with segment.open("r+b") as file:
            file.seek(at)
            file.write(raw)

    write(change(bytearray(original)))
    return partial(write, original)
