"""Kafka's record batches, as far as the clients' own parsers leave something to do: what the readers of both share.

A batch that can't be read must not take along what lies before it, and a header's name that is not UTF-8 must not take
along its record.
"""

from collections.abc import Callable
from struct import Struct

from runtime.unpacking import unpack

# The format since Kafka 0.11: base offset, length (of what follows it), leader epoch, magic, CRC-32C, attributes, last
# offset delta, two timestamps, the producer's id, epoch and sequence, the number of records.
_LENGTH = Struct(">8xi")
_BASE_OFFSET_BYTES = 8
_MAGIC_AT, _ATTRIBUTES_AT, _RECORDS_AT = 16, 22, 61
_MAGIC = 2
_CODEC_MASK = 0x07


class UnreadableBatchError(Exception):
    """A batch can't be read. `start` is its first offset, `end` the one after its last; None where that is unsure."""

    def __init__(self, start: int | None, end: int | None, why: str, place: str = "") -> None:
        super().__init__(f"{place}the batch at offset {'?' if start is None else start} can't be read: {why}")
        self.start = start
        self.end = end
        self.why = why

    def at(self, topic: str, partition: int) -> "UnreadableBatchError":
        """The same, whose message says in which log."""
        return UnreadableBatchError(self.start, self.end, self.why, f"{topic}-{partition}: ")


class ReplacedName(str):
    """A header's name that is not UTF-8, as Kafka wants it to be, with escapes for what is not."""

    __slots__ = ()


class LenientBuffer(bytearray):
    """Records for the clients' parsers in Python: what is cut out of it decodes, whatever it holds."""

    def __getitem__(self, key: object) -> "int | LenientBuffer":  # type: ignore[override]
        found = super().__getitem__(key)  # type: ignore[call-overload]
        return LenientBuffer(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The text, or a `ReplacedName`."""
        try:
            return super().decode(encoding, errors)
        except UnicodeDecodeError:
            return ReplacedName(super().decode(encoding, "backslashreplace"))


def unpacked(raw: memoryview) -> memoryview | bytes:
    """A batch as if it had never been packed.

    Raises:
        UnpackError: it can't be.
    """
    attributes = raw[_ATTRIBUTES_AT]
    codec = attributes & _CODEC_MASK
    if not codec:
        return raw
    plain = bytes([attributes & ~_CODEC_MASK])
    records = unpack(codec, raw[_RECORDS_AT:])
    return b"".join((raw[:_ATTRIBUTES_AT], plain, raw[_ATTRIBUTES_AT + 1 : _RECORDS_AT], records))


def batch_size(data: memoryview) -> int:
    """How many bytes the first batch has, by its own word."""
    length: int = _LENGTH.unpack_from(data)[0] if len(data) >= _LENGTH.size else 0
    return _LENGTH.size + max(length, 0)


def base_offset(data: memoryview) -> int | None:
    """The offset that the first batch begins with; None if not even that is there."""
    if len(data) < _BASE_OFFSET_BYTES:
        return None
    return int.from_bytes(data[:_BASE_OFFSET_BYTES], "big", signed=True)


def start_after(damaged: memoryview, rest: memoryview, is_right: Callable[[memoryview], bool]) -> int | None:
    """Where the batch behind a damaged one begins; None unless that one is whole and right: any number may be damaged.

    `is_right` compares a whole batch with its checksum.
    """
    start, behind = base_offset(damaged), rest[: batch_size(rest)]
    if start is None or shape_fault(behind) is not None or not is_right(behind):
        return None
    following = base_offset(behind)
    return following if following is not None and following > start else None


def shape_fault(raw: memoryview) -> str | None:
    """Why something is no batch, by its shape: it was cut off, or is of a format of long ago."""
    if len(raw) < _RECORDS_AT or len(raw) < batch_size(raw):
        return f"it is not whole: {len(raw)} bytes came"
    if raw[_MAGIC_AT] != _MAGIC:
        return f"its format {raw[_MAGIC_AT]} is none that Kafka has written since 0.11"
    return None
