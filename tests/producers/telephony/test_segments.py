"""SMS segments: tables of the standard's cases, and what holds for every text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_billing_producers.telephony import Encoding, Segments, sms_segments

GSM, UCS = Encoding.GSM_7BIT, Encoding.UCS_2
ALPHABET = "@Δ é\nA{€"
GSM_TEXT = st.text(st.sampled_from(ALPHABET), max_size=700)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (GSM, 0, 1)),
        ("a" * 160, (GSM, 160, 1)),
        ("a" * 161, (GSM, 161, 2)),
        ("a" * 306, (GSM, 306, 2)),
        ("a" * 307, (GSM, 307, 3)),
        ("€" * 80, (GSM, 160, 1)),
        ("€" * 81, (GSM, 162, 2)),
        # 152 septets, and an escape that doesn't fit with its character: it begins the next segment.
        ("a" * 152 + "€" + "a" * 151, (GSM, 305, 2)),
        ("a" * 152 + "€" + "a" * 152, (GSM, 306, 3)),
        ("@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà", (GSM, 42, 1)),
        ("\f^{}\\[~]|€", (GSM, 20, 1)),
        ("ç", (UCS, 1, 1)),
        ("`", (UCS, 1, 1)),
        ("ş" * 70, (UCS, 70, 1)),
        ("ş" * 71, (UCS, 71, 2)),
        ("ş" * 134, (UCS, 134, 2)),
        ("ş" * 135, (UCS, 135, 3)),
        ("🙂" * 35, (UCS, 70, 1)),
        ("🙂" * 36, (UCS, 72, 2)),
        # A pair is not split: 66 of 67 units are used.
        ("🙂" * 67, (UCS, 134, 3)),
        ("a" * 100 + "ş", (UCS, 101, 2)),
        ("\u2019", (UCS, 1, 1)),
        ("\x1b", (UCS, 1, 1)),
    ],
)
def test_a_text_has_so_many_segments(text: str, expected: tuple[Encoding, int, int]) -> None:
    """160 and 153 septets, 70 and 67 code units."""
    assert sms_segments(text) == Segments(*expected)


def test_every_character_of_the_alphabet_is_one_septet() -> None:
    """128 places of the table, less the escape; no character is in both tables."""
    from telephony_billing_producers.telephony import segments  # noqa: PLC0415 - its tables

    assert len(segments._BASIC) == 127
    assert not segments._BASIC & segments._EXTENSION


@given(GSM_TEXT)
def test_segments_are_never_fewer_than_the_units_need(text: str) -> None:
    """And at most one in 153 septets is lost to what is not split."""
    found = sms_segments(text)

    least = 1 if found.units <= 160 else -(-found.units // 153)
    assert least <= found.segments <= max(1, -(-found.units // 152))


@given(st.text(max_size=300), st.text(max_size=5))
def test_a_longer_text_never_has_fewer_segments(text: str, more: str) -> None:
    """In whatever encoding."""
    assert sms_segments(text + more).segments >= sms_segments(text).segments


@given(GSM_TEXT)
def test_one_character_outside_makes_all_of_it_ucs_2(text: str) -> None:
    """And never fewer segments."""
    plain, other = sms_segments(text), sms_segments(text + "ş")

    assert other.encoding is UCS
    assert other.segments >= plain.segments
