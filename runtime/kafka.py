"""How every process connects to Kafka."""

import ssl
from typing import Any

from runtime.settings import KafkaSettings

CONNECT_MS = 10_000  # a broker that is there answers in far less; the client's own 30 s keep a person waiting


def sync_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options for kafka-python's clients that a person waits for."""
    return connection_options(settings) | {"bootstrap_timeout_ms": CONNECT_MS}


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Where and as whom kafka-python's clients connect, and nothing else."""
    options = _common(settings)
    if settings.kafka_security_protocol.endswith("SSL"):
        options |= {
            "ssl_cafile": settings.kafka_ssl_cafile,
            "ssl_certfile": settings.kafka_ssl_certfile,
            "ssl_keyfile": settings.kafka_ssl_keyfile,
        }
    return options


def async_options(settings: KafkaSettings) -> dict[str, Any]:
    """Connection options for aiokafka's clients."""
    return _common(settings) | {"ssl_context": ssl_context(settings)}


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """The TLS context of the settings; None for a protocol without TLS."""
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    context = ssl.create_default_context(cafile=settings.kafka_ssl_cafile)
    if settings.kafka_ssl_certfile:
        context.load_cert_chain(settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    return context


def _common(settings: KafkaSettings) -> dict[str, Any]:
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return options
