"""Telephony's own rules, as pure functions: segments, rounding, and what carriers and switches report."""

from . import asterisk, freeswitch, plivo, telnyx, twilio, vonage
from .rounding import FULL_MINUTES, PER_SECOND, SIX_SECONDS, THIRTY_SIX, Rounding
from .segments import Encoding, Segments, sms_segments
from .usage import SignatureError, Usage

__all__ = [
    "FULL_MINUTES",
    "PER_SECOND",
    "SIX_SECONDS",
    "THIRTY_SIX",
    "Encoding",
    "Rounding",
    "Segments",
    "SignatureError",
    "Usage",
    "asterisk",
    "freeswitch",
    "plivo",
    "sms_segments",
    "telnyx",
    "twilio",
    "vonage",
]
