"""Content negotiation: which of the media types on offer a client would rather have. RFC 9110, 12.5.1."""

from collections.abc import Sequence
from email.message import Message


def preferred(accept: Sequence[str], offered: Sequence[str]) -> str:
    """The media type that the Accept header's fields weigh most.

    The first on offer wins where several weigh the same, and is given where the header takes none of them.
    """
    ranges = [_range(part) for field in accept for part in field.split(",") if part.strip()]
    if not ranges:
        return offered[0]
    return max(offered, key=lambda kind: _weight(kind, ranges))


def _range(text: str) -> tuple[str, float]:
    """A media range and its weight; a weight that can't be read counts as none given."""
    message = Message()
    message["Content-Type"] = text.strip()
    try:
        weight = float(str(message.get_param("q", "1")))
    except ValueError:
        weight = 1.0
    return text.partition(";")[0].strip().lower(), weight


def _weight(kind: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The weight that the most specific range which fits gives; 0 where none does."""
    weights = dict(reversed(ranges))
    for fitting in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if fitting in weights:
            return weights[fitting]
    return 0.0
