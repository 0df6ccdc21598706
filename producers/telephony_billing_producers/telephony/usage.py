"""What a carrier's report, or a switch's record, amounts to: a billable action without its account."""

from dataclasses import dataclass
from datetime import UTC, datetime, timezone

from ..errors import InvalidEventError
from ..protocol import Done_co, Emitter
from .rounding import Rounding


class SignatureError(ValueError):
    """A report is not signed by who should have sent it: refuse it, with HTTP status 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One billable action.

    All reports of one message or call give the same `id`, so that the first that counts is counted and the others are
    duplicates.

    Attributes:
        meter: what is counted.
        id: the carrier's id of the message or call.
        number: the customer's side, by which the account is looked up: the sender of what goes out, the receiver of
            what comes in, as the carrier writes it.
        time: when it happened; None where the report doesn't say, for the moment at which it is emitted.
        segments: of a message, as the carrier counts them; None where it doesn't say.
        duration: of a call, seconds from answer to hang-up; None where the report doesn't say.
        account: the account code that a switch keeps with the call; empty where there is none.
    """

    meter: str
    id: str
    number: str
    time: datetime | None = None
    segments: int | None = None
    duration: float | None = None
    account: str = ""

    def emit(self, emitter: Emitter[Done_co], account: str, *, source: str, quantity: int = 1) -> Done_co:
        """Emits it for an account.

        Args:
            emitter: the process's emitter.
            account: who is billed.
            source: this service and carrier, such as `/sms/twilio`: ids are unique within it.
            quantity: units: 1 for the message or call; or `per_segment()`, where segments are sold.

        Raises:
            InvalidEventError: and the other errors of `UsageEmitter.emit`.
        """
        return emitter.emit(self.meter, account, id=self.id, source=source, quantity=quantity, time=self.time)

    def per_segment(self) -> int:
        """The message's segments.

        Raises:
            InvalidEventError: the report doesn't say. A guess of one would stay: later reports are duplicates.
        """
        if self.segments is None:
            raise InvalidEventError(
                f"the report of {self.id} does not say how many segments: count them with sms_segments(text)"
            )
        return self.segments

    def charged_seconds(self, rounding: Rounding) -> int:
        """The seconds that the call is charged for, for whoever sells time; the platform's meters count calls.

        Raises:
            InvalidEventError: the report doesn't say how long it was.
        """
        if self.duration is None:
            raise InvalidEventError(f"the report of {self.id} does not say how long the call was")
        return rounding.seconds(self.duration)


def present(text: object, what: str) -> str:
    """A field that a report must have.

    Raises:
        InvalidEventError: it has not.
    """
    if not isinstance(text, str) or not text:
        raise InvalidEventError(f"the report has no {what}: is it of the kind that this adapter reads?")
    return text


def whole(text: object, what: str) -> int | None:
    """A field that is a whole number, as JSON or as text; None for none or an empty one.

    Raises:
        InvalidEventError: it is something else.
    """
    if text is None or text == "":
        return None
    if isinstance(text, int) and not isinstance(text, bool) and text >= 0:
        return text
    if isinstance(text, str) and text.isascii() and text.isdigit():
        return int(text)
    raise InvalidEventError(f"{what} {text!r} is no whole number")


def moment(text: object, what: str, zone: timezone = UTC) -> datetime | None:
    """A field that is a time in ISO 8601; without an offset it is in `zone`. None for none or an empty one.

    Raises:
        InvalidEventError: it is something else.
    """
    if text is None or text == "":
        return None
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        raise InvalidEventError(f"{what} {text!r} is no time in ISO 8601") from None
    return time if time.utcoffset() is not None else time.replace(tzinfo=zone)


def epoch(text: object, what: str) -> datetime | None:
    """A field that is a time in whole Unix seconds; None for none, an empty one or 0."""
    seconds = whole(text, what)
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
