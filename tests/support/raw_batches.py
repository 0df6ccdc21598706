"""Record batches as bytes, and a way to write them: for batches that no client writes but a log may hold."""

import struct
import time
from collections.abc import Callable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c, encode_varint

CRC_AT, ATTRIBUTES_AT, RECORDS_AT = 17, 21, 61
Header = tuple[bytes, bytes | None]


def record(place: int, key: bytes | None, value: bytes | None, headers: Sequence[Header] = ()) -> bytes:
    """A record, the `place`-th of its batch; a header's name may be any bytes."""
    body = bytearray(b"\0")  # attributes
    _number(body, 0)
    _number(body, place)
    for field in (key, value):
        _field(body, field)
    _number(body, len(headers))
    for name, content in headers:
        _field(body, name)
        _field(body, content)
    whole = bytearray()
    _number(whole, len(body))
    return bytes(whole + body)


def batch(records: Sequence[bytes], codec: int = 0, pack: Callable[[bytes], bytes] = bytes) -> bytes:
    """Returns a batch of records; it is readable only if `pack` matches `codec`."""
    now_ms, last = int(time.time() * 1000), len(records) - 1
    rest = struct.pack(">hiqqqhii", codec, last, now_ms, now_ms, -1, -1, -1, len(records)) + pack(b"".join(records))
    return struct.pack(">qiibI", 0, 9 + len(rest), -1, 2, calc_crc32c(rest)) + rest


def with_crc(raw: bytearray) -> bytearray:
    """Returns the batch with a new checksum."""
    raw[CRC_AT:ATTRIBUTES_AT] = struct.pack(">I", calc_crc32c(bytes(raw[ATTRIBUTES_AT:])))
    return raw


class RawBatch:
    """Replaces a `BatchBuilder` of aiokafka's producer: exactly these bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def record_count(self) -> int:
        """As the batch says."""
        return int.from_bytes(self._data[RECORDS_AT - 4 : RECORDS_AT], "big")

    def close(self) -> None:
        """Nothing is added to it."""

    def closed(self) -> bool:
        """From the beginning."""
        return True

    def _build(self) -> bytes:
        return self._data


async def write(bootstrap: str, topic: str, batches: Sequence[tuple[int, bytes]]) -> list[int]:
    """Appends batches to their partitions, in this order. Returns their first offsets."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=1 << 24) as producer:
        offsets = []
        for partition, data in batches:
            appended = await producer.send_batch(RawBatch(data), topic, partition=partition)
            offsets.append((await appended).offset)
        return offsets


def _number(into: bytearray, value: int) -> None:
    encode_varint(value, into.append)


def _field(into: bytearray, field: bytes | None) -> None:
    _number(into, -1 if field is None else len(field))
    into += field or b""
