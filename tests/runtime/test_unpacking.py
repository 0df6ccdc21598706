"""Every codec of Kafka, as the clients of the field write it, and never more than was asked for."""

import gzip
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import cramjam
import lz4.frame
import pytest
import zstandard
from aiokafka.codec import lz4_encode, snappy_encode, zstd_encode
from hypothesis import given
from hypothesis import strategies as st

from runtime.unpacking import UnpackError, unpack

MIB = 1024 * 1024
Pack = Callable[[bytes], bytes]


def redpanda_snappy(data: bytes) -> bytes:
    """snappy-java's frame with its two version numbers the other way round."""
    framed = bytearray(snappy_encode(data))
    framed[8:16] = (1).to_bytes(4, "little") * 2
    return bytes(framed)


WAYS: dict[str, tuple[int, Pack]] = {
    "gzip": (1, gzip.compress),
    "gzip in two members, zeros behind": (
        1,
        lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]) + b"\0" * 8,
    ),
    "snappy, raw (librdkafka, franz-go)": (2, lambda data: bytes(cramjam.snappy.compress_raw(data))),
    "snappy, framed (Java)": (2, snappy_encode),
    "snappy, framed by others": (2, redpanda_snappy),
    "lz4, blocks by themselves (Java, librdkafka)": (3, lambda data: bytes(lz4_encode(data))),
    "lz4, blocks that need each other": (3, lz4.frame.compress),
    "lz4 in two frames": (3, lambda data: lz4.frame.compress(data[:9]) + lz4.frame.compress(data[9:])),
    "zstd": (4, lambda data: bytes(zstd_encode(data))),
    "zstd without its length": (4, lambda data: zstandard.ZstdCompressor(write_content_size=False).compress(data)),
    "zstd in two frames": (4, lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:])),
}
way = pytest.mark.parametrize(("codec", "pack"), WAYS.values(), ids=WAYS)


@way
@given(
    data=st.one_of(
        st.binary(max_size=300), st.builds(bytes.__mul__, st.binary(min_size=1, max_size=9), st.integers(1, 9999))
    )
)
def test_what_was_packed_comes_back(codec: int, pack: Pack, data: bytes) -> None:
    """By whichever client, in however many pieces."""
    assert unpack(codec, memoryview(pack(data))) == data


@way
def test_as_much_as_is_allowed_comes_back_and_no_byte_more(codec: int, pack: Pack) -> None:
    """The bound is exact."""
    packed = memoryview(pack(b"x" * 70_000))

    assert len(unpack(codec, packed, 70_000)) == 70_000
    with pytest.raises(UnpackError, match="more than 69999 bytes"):
        unpack(codec, packed, 69_999)


@way
def test_a_bomb_takes_little_more_than_the_bound(codec: int, pack: Pack) -> None:
    """However much it would come to: it is left while it is unpacked."""
    bomb, most = memoryview(pack(bytes(64 * MIB))), 4 * MIB
    tracemalloc.start()
    try:
        with pytest.raises(UnpackError, match="more than"):
            unpack(codec, bomb, most)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 2 * most


@way
def test_what_ends_too_soon_is_not_taken_for_all(codec: int, pack: Pack) -> None:
    """Or it is refused: a batch knows how many records it has, and its parser looks."""
    data = bytes(range(256)) * 300
    packed = memoryview(pack(data))
    for end in range(1, len(packed) - 8, max(1, len(packed) // 40)):
        try:
            assert unpack(codec, packed[:end]) != data
        except UnpackError:
            continue


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
@given(data=st.binary(min_size=1, max_size=200))
def test_whatever_comes_there_is_one_error(codec: int, data: bytes) -> None:
    """For all that the libraries raise."""
    with suppress(UnpackError):
        unpack(codec, memoryview(data))


@pytest.mark.parametrize("codec", [5, 6, 7])
def test_codecs_that_do_not_exist_are_named(codec: int) -> None:
    """Three bits can say more than there is."""
    with pytest.raises(UnpackError, match=f"its codec {codec} is unknown"):
        unpack(codec, memoryview(b""))
