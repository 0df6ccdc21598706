"""Which failures pass by themselves, and for how long they are waited for."""

from aiokafka import errors as kafka
from redis import exceptions as redis

GIVE_UP_SECONDS = 60.0  # by default; then the process ends, and its supervisor starts another
RETRIABLE = (redis.RedisError, kafka.KafkaError, OSError, TimeoutError)
# What only a person can mend. A server that refuses for a while (loading, full, read-only, no leader) is not here.
_HOPELESS = (
    redis.AuthenticationError,
    redis.AuthorizationError,
    redis.NoPermissionError,
    kafka.AuthenticationFailedError,
    kafka.AuthenticationMethodNotSupported,
    kafka.ClusterAuthorizationFailedError,
    kafka.GroupAuthorizationFailedError,
    kafka.IncompatibleBrokerVersion,
    kafka.MessageSizeTooLargeError,
    kafka.RecordTooLargeError,
    kafka.SaslAuthenticationFailed,
    kafka.TopicAuthorizationFailedError,
    kafka.UnsupportedSaslMechanismError,
    kafka.UnsupportedVersionError,
)


def gives_up(error: Exception, failing_seconds: float, give_up_seconds: float) -> bool:
    """Whether to stop rather than try again, after failing for so long with, lately, this error."""
    return isinstance(error, _HOPELESS) or failing_seconds > give_up_seconds
