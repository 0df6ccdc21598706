"""Which failures pass by themselves, and for how long they are waited for: the same in every process."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import kafka.errors as kafka_python
from aiokafka import errors as aiokafka
from redis import exceptions as redis

from runtime.clock import Clock, SystemClock
from runtime.kafka_faults import KafkaRefusedError, KafkaUnreachableError
from runtime.settings import GIVE_UP_SECONDS

FIRST_RETRY_SECONDS = 0.1
LAST_RETRY_SECONDS = 5.0
RETRIABLE = (redis.RedisError, aiokafka.KafkaError, kafka_python.KafkaError, KafkaUnreachableError, OSError)
# What only a person can mend. A server that refuses for a while (loading, full, read-only, no leader) is not here.
_HOPELESS = (
    KafkaRefusedError,
    redis.AuthenticationError,
    redis.AuthorizationError,
    redis.NoPermissionError,
    aiokafka.AuthenticationFailedError,
    aiokafka.AuthenticationMethodNotSupported,
    aiokafka.ClusterAuthorizationFailedError,
    aiokafka.GroupAuthorizationFailedError,
    aiokafka.IllegalSaslStateError,
    aiokafka.IncompatibleBrokerVersion,
    aiokafka.MessageSizeTooLargeError,
    aiokafka.RecordTooLargeError,
    aiokafka.SaslAuthenticationFailed,
    aiokafka.TopicAuthorizationFailedError,
    aiokafka.UnsupportedSaslMechanismError,
    aiokafka.UnsupportedVersionError,
    kafka_python.AuthorizationError,
    kafka_python.IncompatibleBrokerVersion,
    kafka_python.SaslAuthenticationFailedError,
    kafka_python.UnsupportedVersionError,
)

log = logging.getLogger(__name__)

T = TypeVar("T")


def is_hopeless(error: BaseException) -> bool:
    """Whether an error, or what caused it, will not pass by itself."""
    return any(isinstance(each, _HOPELESS) for each in _causes(error))


def gives_up(error: Exception, failing_seconds: float, give_up_seconds: float) -> bool:
    """Whether to stop rather than try again, after failing for so long with, lately, this error."""
    return is_hopeless(error) or failing_seconds > give_up_seconds


async def persistently(
    ask: Callable[[], Awaitable[T]], give_up_seconds: float = GIVE_UP_SECONDS, clock: Clock | None = None
) -> T:
    """The answer to a question that is asked again while its server is away, for `give_up_seconds` at most.

    Raises:
        Exception: what the last attempt met; at once, where it will not pass by itself.
    """
    clock = clock or SystemClock()
    began, delay = clock.monotonic(), FIRST_RETRY_SECONDS
    while True:
        try:
            return await ask()
        except RETRIABLE as error:
            if gives_up(error, clock.monotonic() - began, give_up_seconds):
                raise
            log.warning("asking again in %.1f s: %s", delay, error)
        await clock.sleep(delay)
        delay = min(2 * delay, LAST_RETRY_SECONDS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
