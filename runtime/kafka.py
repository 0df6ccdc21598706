"""How every process connects to Kafka."""

import ssl
from pathlib import Path
from typing import Any

from runtime.settings import KafkaSettings

CONNECT_MS = 10_000  # a broker that is there answers in far less; the client's own 30 s keep a person waiting


class TlsFilesError(Exception):
    """A file with certificates or keys can't be used. The message names its setting."""


def sync_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options for kafka-python's clients that a person waits for; `runtime.kafka_reaching.connected` passes them."""
    return connection_options(settings) | {"bootstrap_timeout_ms": CONNECT_MS}


def async_options(settings: KafkaSettings) -> dict[str, Any]:
    """Options for aiokafka's clients."""
    return connection_options(settings)


def connection_options(settings: KafkaSettings) -> dict[str, Any]:
    """Where and as whom Kafka's clients connect, and nothing else.

    Raises:
        TlsFilesError: the certificates can't be used.
    """
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "ssl_context": ssl_context(settings),
    }
    if settings.kafka_security_protocol.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_sasl_username,
            "sasl_plain_password": settings.kafka_sasl_password.get_secret_value(),
        }
    return options


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext | None:
    """The TLS context of the settings; None for a protocol without TLS.

    Raises:
        TlsFilesError: the certificates can't be used.
    """
    if not settings.kafka_security_protocol.endswith("SSL"):
        return None
    ca, certificate, key = (settings.kafka_ssl_cafile, settings.kafka_ssl_certfile, settings.kafka_ssl_keyfile)
    for variable, file in (("CAFILE", ca), ("CERTFILE", certificate), ("KEYFILE", key)):
        _require_readable(f"BILLING_KAFKA_SSL_{variable}", file)
    try:
        context = ssl.create_default_context(cafile=ca or None)
    except ssl.SSLError as error:
        raise TlsFilesError(f"BILLING_KAFKA_SSL_CAFILE: {ca} holds no certificate ({_reason(error)})") from error
    if certificate:
        try:
            context.load_cert_chain(certificate, key or None, password=lambda: b"")  # nobody is asked for one
        except ssl.SSLError as error:
            raise TlsFilesError(
                f"BILLING_KAFKA_SSL_CERTFILE, BILLING_KAFKA_SSL_KEYFILE: {certificate} and {key or 'no key file'} are "
                f"no certificate and its key ({_reason(error)})"
            ) from error
    return context


def _require_readable(variable: str, file: str | None) -> None:
    try:
        if file:
            Path(file).read_bytes()
    except OSError as error:
        raise TlsFilesError(f"{variable}: {file} can't be read ({error.strerror})") from error


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
