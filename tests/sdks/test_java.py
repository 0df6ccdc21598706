"""Events as CloudEvents' SDK for Java writes them."""

from tests.sdks.brought import java_records
from tests.sdks.expected import EXPECTED, counted


def test_every_mode_is_counted() -> None:
    """Binary mode is the serializer's default."""
    records = java_records()

    assert {mode: counted(record) for mode, record in records.items()} == {"default": EXPECTED, "structured": EXPECTED}
