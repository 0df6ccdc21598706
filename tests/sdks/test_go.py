"""Events as CloudEvents' SDK for Go writes them."""

from tests.sdks.brought import go_records
from tests.sdks.expected import EXPECTED, counted


def test_every_mode_is_counted() -> None:
    """Binary mode is what it writes for a topic, unless told otherwise."""
    records = go_records()

    assert {mode: counted(record) for mode, record in records.items()} == {"binary": EXPECTED, "structured": EXPECTED}
