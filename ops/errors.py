"""Errors that a person can do something about, and the words for them."""

import sys


class OpsError(Exception):
    """The command can't do what was asked; the message says why and what to do."""


# Their messages are written for whoever runs the command.
_SPEAKING = (
    ("runtime.topics", "TopicMismatchError"),
    ("local.stack.errors", "StackError"),
    ("local.servers.ports", "PortTakenError"),
    ("local.servers.process", "ServerError"),
    ("local.servers.kafka_jars", "JarError"),
    ("producers.event", "InvalidEventError"),
)


def explain(error: Exception) -> str | None:
    """What to tell of an error; None for one that nobody expected. Imports nothing that is not loaded already."""
    if isinstance(error, OpsError) or any(_is_a(error, *place) for place in _SPEAKING):
        return str(error)
    if _is_a(error, "pydantic", "ValidationError"):
        return _settings_fault(error)
    if _is_a(error, "kafka.errors", "KafkaError"):
        return f"Kafka: {error}: check BILLING_KAFKA_BOOTSTRAP_SERVERS and how to log in there"
    if _is_a(error, "redis.exceptions", "RedisError"):
        return f"Redis: {error}: check BILLING_REDIS_URL"
    if _is_a(error, "stripe", "StripeError"):
        return f"Stripe: {error}: check BILLING_STRIPE_API_KEY and BILLING_STRIPE_API_BASE"
    return None


def _is_a(error: Exception, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _settings_fault(error: Exception) -> str:
    faults = error.errors(include_url=False)  # type: ignore[attr-defined]  # pydantic's, known by name above
    return "; ".join(f"BILLING_{'_'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in faults)
