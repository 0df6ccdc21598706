"""The usage in a carrier's report or a switch's record: a billable action, still without its account."""

from dataclasses import dataclass
from datetime import UTC, datetime, timezone

from ..errors import InvalidEventError
from ..protocol import Done_co, Emitter
from .rounding import Rounding


class SignatureError(ValueError):
    """A report does not have the carrier's signature: refuse it with HTTP status 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One billable action.

    All reports of one message or call have the same `id`. So the platform counts the first one, and the others are
    duplicates.

    Attributes:
        meter: the meter.
        id: the carrier's id of the message or call.
        number: the customer's phone number, for looking up the account, as the carrier writes it: the sender of an
            outgoing message or call, the receiver of an incoming one.
        time: when it happened; None if the report doesn't say: then it is the time of `emit`.
        segments: a message's segments by the carrier's count; None if the report doesn't say.
        duration: a call's seconds from answer to hang-up; None if the report doesn't say.
        account: the account code that a switch keeps with the call; empty if there is none.
    """

    meter: str
    id: str
    number: str
    time: datetime | None = None
    segments: int | None = None
    duration: float | None = None
    account: str = ""

    def emit(self, emitter: Emitter[Done_co], account: str, *, source: str, quantity: int = 1) -> Done_co:
        """Emits the usage for an account.

        Args:
            emitter: the process's emitter.
            account: the account that is billed.
            source: this service and carrier, such as `/sms/twilio`: ids are unique within it.
            quantity: units: 1 for the message or call; or `per_segment()`, where segments are sold.

        Raises:
            InvalidEventError: and the other errors of `UsageEmitter.emit`.
        """
        return emitter.emit(self.meter, account, id=self.id, source=source, quantity=quantity, time=self.time)

    def per_segment(self) -> int:
        """Returns the number of the message's segments.

        Raises:
            InvalidEventError: the report doesn't say. A guess could not be corrected: later reports are duplicates.
        """
        if self.segments is None:
            raise InvalidEventError(
                f"the report of {self.id} does not say how many segments: count them with sms_segments(text)"
            )
        return self.segments

    def charged_seconds(self, rounding: Rounding) -> int:
        """Returns the seconds to charge for the call, for services that sell time; the platform's meters count calls.

        Raises:
            InvalidEventError: the report doesn't say how long the call was.
        """
        if self.duration is None:
            raise InvalidEventError(f"the report of {self.id} does not say how long the call was")
        return rounding.seconds(self.duration)


def present(text: object, what: str) -> str:
    """Returns a field that a report must have.

    Raises:
        InvalidEventError: the field is missing or empty.
    """
    if not isinstance(text, str) or not text:
        raise InvalidEventError(f"the report has no {what}: is it of the kind that this adapter reads?")
    return text


def whole(text: object, what: str) -> int | None:
    """Returns a field that is a whole number, as JSON or as text; None if it is missing or empty.

    Raises:
        InvalidEventError: the field is something else.
    """
    if text is None or text == "":
        return None
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    if isinstance(text, str) and text.isascii() and text.isdigit():
        return int(text)
    raise InvalidEventError(f"{what} {text!r} is no whole number")


def moment(text: object, what: str, zone: timezone = UTC) -> datetime | None:
    """Returns a field that is a time in ISO 8601, in `zone` if it has no offset; None if it is missing or empty.

    Raises:
        InvalidEventError: the field is something else.
    """
    if text is None or text == "":
        return None
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        raise InvalidEventError(f"{what} {text!r} is no time in ISO 8601") from None
    return time if time.utcoffset() is not None else time.replace(tzinfo=zone)


def epoch(text: object, what: str) -> datetime | None:
    """Returns a field that is a time in whole Unix seconds; None if it is missing, empty or 0."""
    seconds = whole(text, what)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
