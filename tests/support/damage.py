"""A log as a disk may spoil it: batches changed in a broker's own files, which it gives on as they are."""

import struct
from collections.abc import Callable
from functools import partial

from local.servers.kafka import KafkaServer

Change = Callable[[bytearray], bytearray]


def damage(server: KafkaServer, topic: str, partition: int, offset: int, change: Change) -> Callable[[], None]:
    """Writes a batch anew, in place: that of `offset`, which must be the first of its batch. Gives what mends it."""
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
