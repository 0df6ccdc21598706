"""Unpacking what a producer, or a topic's `compression.type`, has packed: all of Kafka's codecs, within a bound."""

import zlib
from collections.abc import Callable, Iterator
from struct import Struct

import cramjam
import zstandard
from lz4.frame import LZ4FrameDecompressor

MAX_UNPACKED_BYTES = 64 * 1024 * 1024
"""Bytes that one batch may unpack to. A default broker takes batches of 1 MiB as they come (`message.max.bytes`), and
events in JSON pack to a tenth or a twentieth. What goes on far beyond that is no client's batch: it would only take
memory."""

_CHUNK_BYTES = 1024 * 1024
_GZIP_MEMBER = 16 + zlib.MAX_WBITS
_XERIAL = b"\x82SNAPPY\x00"  # begins what snappy-java frames; its two version numbers follow, written either way round
_XERIAL_HEADER_BYTES = 16
_LENGTH = Struct(">i")


class UnpackError(ValueError):
    """The data can't be unpacked; the message says why."""


class _TooMuchError(Exception):
    pass


def unpack(codec: int, data: memoryview, most: int = MAX_UNPACKED_BYTES) -> bytes:
    """What a batch's records were packed from.

    Args:
        codec: the id in the batch's attributes (Kafka's record batch format: 0 is none, and not to be given here).
        data: the records, packed.
        most: the bytes that may come of it.

    Raises:
        UnpackError: there is no such codec, the data is damaged, or it unpacks to more.
    """
    if codec not in _CODECS:
        raise UnpackError(f"its codec {codec} is unknown")
    name, chunks_of = _CODECS[codec]
    try:
        return b"".join(_within(most, chunks_of(data, most)))
    except _TooMuchError:
        raise UnpackError(f"its {name} data unpacks to more than {most} bytes") from None
    except Exception as error:
        raise UnpackError(f"its {name} data is damaged ({error})") from error


def _within(most: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        most -= len(chunk)
        if most < 0:
            raise _TooMuchError
        yield chunk


def _gzip(data: memoryview, _: int) -> Iterator[bytes]:
    """Members may follow one another, and zeros the last (RFC 1952, section 2.2; what gzip itself takes)."""
    rest = bytes(data)
    while rest:
        member = zlib.decompressobj(_GZIP_MEMBER)
        while chunk := member.decompress(rest, _CHUNK_BYTES):
            yield chunk
            rest = member.unconsumed_tail
        if not member.eof:
            raise EOFError("it ends too soon")
        rest = member.unused_data.lstrip(b"\0")


def _snappy(data: memoryview, most: int) -> Iterator[bytes]:
    """Raw, as librdkafka and franz-go write it, or in snappy-java's frame: blocks, each after its length."""
    if bytes(data[: len(_XERIAL)]) != _XERIAL:
        yield _snappy_block(data, most)
        return
    at = _XERIAL_HEADER_BYTES
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if not 0 <= length <= len(data) - at:
            raise EOFError("it ends within a block")
        yield _snappy_block(data[at : at + length], most)
        at += length


def _snappy_block(data: memoryview, most: int) -> bytes:
    """A block begins with the length of what it unpacks to, and the decoder holds to it."""
    if cramjam.snappy.decompress_raw_len(data) > most:
        raise _TooMuchError
    return bytes(cramjam.snappy.decompress_raw(data))


def _lz4(data: memoryview, _: int) -> Iterator[bytes]:
    rest = bytes(data)
    while rest:
        frame = LZ4FrameDecompressor()
        while not frame.eof:
            chunk = frame.decompress(rest, _CHUNK_BYTES)
            if frame.needs_input and not frame.eof:
                raise EOFError("it ends too soon")
            yield chunk
            rest = b""
        rest = frame.unused_data or b""


def _zstd(data: memoryview, _: int) -> Iterator[bytes]:
    with zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True) as reader:
        while chunk := reader.read(_CHUNK_BYTES):
            yield chunk


_CODECS: dict[int, tuple[str, Callable[[memoryview, int], Iterator[bytes]]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
