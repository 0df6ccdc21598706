"""Publishes billable telephony usage without loss: a Kafka producer with a spool on disk."""

from ._delivery import Delivery, Outcome
from .aio import AsyncDelivery, AsyncUsageEmitter
from .emitter import UsageEmitter
from .errors import (
    InvalidEventError,
    SpoolClosedError,
    SpoolError,
    SpoolFullError,
    SpoolLockedError,
)
from .numbers import NumberService
from .protocol import Emitter
from .settings import EmitterSettings
from .signals import exit_on_sigterm
from .sms import SmsService
from .voice import VoiceService

__all__ = [
    "AsyncDelivery",
    "AsyncUsageEmitter",
    "Delivery",
    "Emitter",
    "EmitterSettings",
    "InvalidEventError",
    "NumberService",
    "Outcome",
    "SmsService",
    "SpoolClosedError",
    "SpoolError",
    "SpoolFullError",
    "SpoolLockedError",
    "UsageEmitter",
    "VoiceService",
    "exit_on_sigterm",
]
