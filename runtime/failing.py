"""Errors that a person can do something about, and the words for them: one line that says what is wrong."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from runtime.exit_codes import CANNOT_GO_ON, DONE, INTERRUPTED

# Their messages are written for whoever runs the process or the command.
_SPEAKING = (
    ("ops.console.errors", "OpsError"),
    ("runtime.kafka", "TlsFilesError"),
    ("runtime.kafka_faults", "KafkaUnreachableError"),
    ("runtime.redis", "RedisModeError"),
    ("runtime.redis", "RedisUnsafeError"),
    ("runtime.redis", "RedisUntrustedError"),
    ("runtime.redis", "RedisUrlError"),
    ("runtime.http_server", "ListenError"),
    ("runtime.http_server", "TooFewFilesError"),
    ("stripe_sync.errors", "StripeStoppedError"),
    ("stripe_sync.errors", "WrongStripeError"),
    ("runtime.topics", "TopicMismatchError"),
    ("runtime.record_batch", "UnreadableBatchError"),
    ("stripe_sync.errors", "UnreadablePushLogError"),
    ("local.stack.errors", "StackError"),
    ("local.stripe.serve", "DoubleError"),
    ("local.servers.ports", "PortTakenError"),
    ("local.servers.process", "ServerError"),
    ("local.servers.kafka_jars", "JarError"),
    ("telephony_billing_producers.errors", "InvalidEventError"),
)
# What Kafka's clients say where they could not even ask: the address, or how to log in, may be wrong.
_OF_REACHING = (
    "KafkaConnectionError",
    "KafkaTimeoutError",
    "NodeNotReadyError",
    "MetadataEmptyBrokerList",
    "AuthorizationError",
    "UnsupportedSaslMechanismError",
    "IllegalSaslStateError",
    "SaslAuthenticationFailedError",
)


_ASKED_FOR = ("HELLO must be called with the client already authenticated", "Authentication required")  # Redis' words


@contextmanager
def ends_in_one_line(process: str) -> Iterator[None]:
    """Ends the process with `CANNOT_GO_ON` and one line on standard error where an error has words.

    Others go on as they are. SIGTERM and Ctrl-C end it without a word, from here on.
    """
    signal.signal(signal.SIGTERM, _leave)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        words = explain(error)
        if words is None:
            raise
        say(f"{process}: {words}")
        sys.exit(CANNOT_GO_ON)


def say(words: str) -> None:
    """One line on standard error, whatever others have written into the words."""
    line = " ".join(words.split())
    sys.stderr.write("".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in line))
    sys.stderr.write("\n")


def explain(error: Exception) -> str | None:
    """What to tell of an error; None for one that nobody expected. Imports nothing that is not loaded already."""
    if any(_is_a(error, *place) for place in _SPEAKING):
        return str(error)
    if _is_a(error, "pydantic", "ValidationError"):
        return _settings_fault(error)
    for module in ("kafka.errors", "aiokafka.errors"):
        if _is_a(error, module, "KafkaError"):
            reaching = any(_is_a(error, module, name) for name in _OF_REACHING)
            advice = ": check BILLING_KAFKA_BOOTSTRAP_SERVERS and how to log in there" if reaching else ""
            return f"Kafka: {error}{advice}"
    if _is_a(error, "redis.exceptions", "RedisError"):
        said = "it asks for a password" if str(error).startswith(_ASKED_FOR) else str(error).rstrip(".")
        return f"Redis: {said}: {_redis_advice(error)}"
    if _is_a(error, "stripe", "StripeError"):
        return _stripe_fault(error)
    if isinstance(error, TimeoutError) and str(error):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}"
    return None


def _redis_advice(error: Exception) -> str:
    """What to do about an answer of Redis', or about none."""
    if _is_a(error, "redis.exceptions", "AuthenticationError"):
        return "check the user and the password in BILLING_REDIS_URL (redis://user:password@host:port/0)"
    if _is_a(error, "redis.exceptions", "NoPermissionError"):
        return "give this user its rights (docs/security.md), or name another in BILLING_REDIS_URL"
    return "check BILLING_REDIS_URL"


def _stripe_fault(error: Exception) -> str:
    """Without an answer, stripe-python asks to be written to, and names the cause in brackets at its end."""
    status = getattr(error, "http_status", None)
    if status is None:
        cause = str(error).rpartition("(")[2].rstrip(")")
        return f"Stripe can't be reached ({cause}): check BILLING_STRIPE_API_BASE and the network, and try again"
    return f"Stripe: {error}: {_stripe_advice(status)}"


def _stripe_advice(status: int) -> str:
    """What to do about an answer of Stripe's, by its HTTP status: no key mends an outage."""
    if status in {401, 403}:
        return "check BILLING_STRIPE_API_KEY, and what a restricted key may do (docs/security.md)"
    if status == 404:
        return "check BILLING_STRIPE_API_BASE"
    if status == 429 or status >= 500:
        return "Stripe is busy or out of order: try again in a minute (https://status.stripe.com)"
    return "Stripe does not take this request"


def _is_a(error: Exception, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    kind = getattr(loaded, name, None) if loaded is not None else None
    return kind is not None and isinstance(error, kind)


def _settings_fault(error: Exception) -> str:
    """Each setting by its name in the environment; what concerns several of them names them itself."""
    faults = error.errors(include_url=False)  # type: ignore[attr-defined]  # pydantic's, known by name above
    return "; ".join(_fault(fault["loc"], fault["msg"].removeprefix("Value error, ")) for fault in faults)


def _fault(place: tuple[str | int, ...], message: str) -> str:
    name = f"BILLING_{'_'.join(map(str, place))}".upper()
    if not place or message.startswith("BILLING_"):
        return message
    return f"{name} is not set" if message == "Field required" else f"{name}: {message}"


def _leave(*_: object) -> None:
    raise SystemExit(DONE)
