"""Which heads are too long to be read."""

import pytest

from runtime.http_head import LINE_BYTES, MOST_FIELDS, is_excessive

LINE, MOST = b"GET / HTTP/1.1\r\n", 16_384


@pytest.mark.parametrize(
    ("received", "excessive"),
    [
        (b"", False),
        (LINE, False),
        (LINE + b"\r\n" + b"b\n" * 50_000, False),  # a body is not a head
        (LINE + b"X: " + b"a" * (MOST - 21) + b"\r\n\r\n", False),
        (LINE + b"X: " + b"a" * MOST + b"\r\n\r\n", True),
        (LINE + b"X: " + b"a" * MOST, True),
        (LINE + b"X: " + b"a" * (MOST - 100), False),
        (LINE + b"a: b\r\n" * (MOST_FIELDS - 1) + b"\r\n", False),
        (LINE + b"a: b\r\n" * (MOST_FIELDS + 1) + b"\r\n", True),
        (LINE + b"a:\n" * (MOST_FIELDS + 1) + b"\n", True),
        (LINE + b"a: b\r\n" * (MOST_FIELDS + 1), True),
        (b"GET /" + b"a" * (LINE_BYTES - 15) + b" HTTP/1.1\r\n\r\n", False),
        (b"GET /" + b"a" * LINE_BYTES + b" HTTP/1.1\r\n\r\n", True),
        (b"GET /" + b"a" * LINE_BYTES, True),
    ],
)
def test_a_head_is_bounded_in_bytes_and_in_fields(received: bytes, excessive: bool) -> None:
    """Whole or in part, with either kind of line end."""
    assert is_excessive(received, MOST) is excessive
