"""Events as CloudEvents' SDK for JavaScript writes them."""

from tests.sdks.brought import javascript_records
from tests.sdks.expected import EXPECTED, counted


def test_every_mode_is_counted() -> None:
    """Attributes that the event has not are headers without a value; bytes are base64."""
    records = javascript_records()

    assert {mode: counted(record) for mode, record in records.items()} == {
        "binary": EXPECTED,
        "structured": EXPECTED,
        "structured, bytes": EXPECTED,
    }
