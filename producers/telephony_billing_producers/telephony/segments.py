"""Computes the number of segments of an SMS from its text.

Sources: 3GPP TS 23.038 (the GSM 7-bit default alphabet, section 6.2.1, and its extension table, 6.2.1.1) and 3GPP TS
23.040, 9.2.3.24.1 (concatenated messages: six octets of each segment's 140 are a header). National shift tables are not
used: what needs one is sent as UCS-2, as carriers do by default.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Characters that take two septets: an escape and a character."""


class Encoding(StrEnum):
    """The encoding of a text over the air."""

    GSM_7BIT = "gsm-7bit"
    UCS_2 = "ucs-2"


class Segments(NamedTuple):
    """The encoding, the text's length in its units (septets, or UTF-16 code units), and the number of segments."""

    encoding: Encoding
    units: int
    segments: int


_ONE_SEGMENT = {Encoding.GSM_7BIT: 160, Encoding.UCS_2: 70}
"""Units of a message that is not concatenated: 140 octets."""

_EACH_SEGMENT = {Encoding.GSM_7BIT: 153, Encoding.UCS_2: 67}
"""Units of each segment of a concatenated message: 134 octets."""


def sms_segments(text: str) -> Segments:
    """The segments of a text; an empty one is one segment.

    A character of two units is never split between segments: neither an escape and its character, nor the two halves of
    a UTF-16 pair. So a text may need one segment more than its units divided by a segment's.
    """
    if all(character in _BASIC or character in _EXTENSION for character in text):
        encoding, widths = Encoding.GSM_7BIT, [2 if character in _EXTENSION else 1 for character in text]
    else:
        encoding, widths = Encoding.UCS_2, [2 if ord(character) > 0xFFFF else 1 for character in text]
    units = sum(widths)
    if units <= _ONE_SEGMENT[encoding]:
        return Segments(encoding, units, 1)
    return Segments(encoding, units, _filled(widths, _EACH_SEGMENT[encoding]))


def _filled(widths: Iterable[int], room: int) -> int:
    segments, used = 1, 0
    for width in widths:
        if used + width > room:
            segments, used = segments + 1, 0
        used += width
    return segments
