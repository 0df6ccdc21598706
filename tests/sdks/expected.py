"""The event that every SDK is asked to make a record of, as it must be counted."""

from metering.event import read_event
from metering.meters import BY_NAME
from metering.usage_event import UsageEvent, identity_member
from tests.metering.events import NOON, NOON_MS
from tests.sdks.brought import SdkRecord

EXPECTED = UsageEvent(
    identity_member("/voice/eu-1", "call-1", "voice.outbound", "acme"), "acme", BY_NAME["voice.outbound"].index, NOON, 5
)


def counted(record: SdkRecord) -> object:
    """What the platform makes of a record."""
    return read_event(record.value, NOON_MS, record.headers)
