"""The usage in the documentation: one account gets exactly this usage in every billing period.

Events depend only on the period, and their time is the period's first second. So publishing them again makes identical
duplicates, which change nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from local.demo.accounts import DOCS_ACCOUNT, LIVE_ACCOUNTS
from metering.period import Period
from telephony_billing_producers import Delivery, NumberService, SmsService, UsageEmitter, VoiceService

DOCUMENTED: Mapping[str, int] = {
    "sms.send": 1250,
    "sms.receive": 430,
    "voice.outbound": 890,
    "voice.inbound": 215,
    "voice.ai": 340,
    "did.monthly": 12,
}
LIVE_NUMBERS = 3  # phone numbers of every other account
_SOURCE = "/demo"


@dataclass(frozen=True, slots=True)
class Services:
    """The telephony services of the demo, on one emitter."""

    sms: SmsService[Delivery]
    voice: VoiceService[Delivery]
    numbers: NumberService[Delivery]

    @classmethod
    def on(cls, emitter: UsageEmitter) -> "Services":
        """Makes all three services."""
        return cls(
            SmsService(emitter, source=f"{_SOURCE}/sms"),
            VoiceService(emitter, source=f"{_SOURCE}/voice"),
            NumberService(emitter, source=f"{_SOURCE}/numbers"),
        )


def publish_period(services: Services, period: Period) -> Iterator[Delivery]:
    """Emits a period's usage: the documented usage, and the phone numbers of the other accounts."""
    start = datetime.fromtimestamp(period.start, UTC)
    by_message: dict[str, Callable[..., Delivery]] = {
        "sms.send": services.sms.sent,
        "sms.receive": services.sms.received,
        "voice.outbound": services.voice.outbound,
        "voice.inbound": services.voice.inbound,
        "voice.ai": services.voice.ai,
    }
    for meter, act in by_message.items():
        for number in range(DOCUMENTED[meter]):
            yield act(DOCS_ACCOUNT, f"{start:%Y-%m-%d}-{number:04}", time=start)
    holders = [DOCS_ACCOUNT] * DOCUMENTED["did.monthly"] + [*LIVE_ACCOUNTS] * LIVE_NUMBERS
    for index, holder in enumerate(holders):
        # 555-0100 to 555-0199 belong to nobody (North American Numbering Plan).
        yield services.numbers.monthly(holder, f"+1206555{100 + index:04}", start, time=start)
