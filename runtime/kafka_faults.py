"""What can be in the way to Kafka, in words: each with the setting to look at."""

import ssl
from asyncio import IncompleteReadError
from socket import gaierror
from typing import NamedTuple

from aiokafka import errors

from runtime.settings import KafkaSettings

_TLS_ALERT = 0x15  # RFC 8446, 5.1: the first byte of what a server of TLS says to somebody who does not speak it
_SERVERS = "BILLING_KAFKA_BOOTSTRAP_SERVERS"
_PROTOCOL = "BILLING_KAFKA_SECURITY_PROTOCOL"
_WANTS = {
    "PLAINTEXT": "it may ask for a login or for TLS",
    "SSL": "it may ask for a login, or for a certificate of ours (BILLING_KAFKA_SSL_CERTFILE)",
    "SASL_PLAINTEXT": "it may ask for TLS",
    "SASL_SSL": "it may ask for a certificate of ours (BILLING_KAFKA_SSL_CERTFILE)",
}


class KafkaUnreachableError(Exception):
    """Kafka can't be talked to, now. The message says why, and what to look at."""


class KafkaRefusedError(KafkaUnreachableError):
    """Kafka can't be talked to before somebody has mended the settings."""


class Address(NamedTuple):
    """A broker's."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def fault_met(settings: KafkaSettings, address: Address, error: Exception) -> KafkaUnreachableError:
    """The words for what was met on the way to a broker."""
    refusal = _refusal(settings, address, error)
    return KafkaRefusedError(refusal) if refusal else KafkaUnreachableError(_absence(settings, address, error))


def _refusal(settings: KafkaSettings, address: Address, error: Exception) -> str | None:
    """What will not pass by itself; None for the rest."""
    protocol, user = settings.kafka_security_protocol, settings.kafka_sasl_username
    match error:
        case ssl.SSLCertVerificationError():
            return (
                f"Kafka's certificate at {address} is not to be trusted ({error.verify_message}): check "
                "BILLING_KAFKA_SSL_CAFILE, and that the address is the one in the certificate"
            )
        case errors.UnsupportedSaslMechanismError():
            mechanism = settings.kafka_sasl_mechanism
            return f"Kafka at {address} does not offer {mechanism}: check BILLING_KAFKA_SASL_MECHANISM"
        case errors.IllegalSaslStateError():
            return f"Kafka at {address} asks for no login: {_PROTOCOL} is {protocol}, check it"
        case errors.SaslAuthenticationFailed() | errors.AuthenticationFailedError():
            said = ", ".join(map(str, error.args))
            return (
                f"Kafka at {address} refuses the user {user!r} ({said}): check BILLING_KAFKA_SASL_USERNAME and "
                "BILLING_KAFKA_SASL_PASSWORD"
            )
        case errors.KafkaConnectionError() if _speaks_tls(error):
            wanted = "SASL_SSL" if protocol.startswith("SASL") else "SSL or SASL_SSL"
            return f"Kafka at {address} speaks TLS: {_PROTOCOL} is {protocol}, set it to {wanted}"
    return None


def _absence(settings: KafkaSettings, address: Address, error: Exception) -> str:
    """What may pass by itself."""
    protocol, said = settings.kafka_security_protocol, str(error)
    match error:
        case gaierror():
            return f"Kafka: nobody knows the host name {address.host}: check {_SERVERS}"
        case ConnectionRefusedError():
            return f"Kafka: nothing listens at {address}: does it run there? Check {_SERVERS}"
        case ssl.SSLError() | ConnectionResetError() if protocol.endswith("SSL"):
            return (
                f"Kafka at {address} does not go along with TLS ({said or 'it ended the connection'}): {_PROTOCOL} is "
                f"{protocol}, does it speak TLS there?"
            )
        case errors.KafkaConnectionError():
            return f"Kafka at {address} ended the connection: {_PROTOCOL} is {protocol}, {_WANTS[protocol]}"
        case TimeoutError():
            return f"Kafka at {address} does not answer: check the network and {_SERVERS}"
    return f"Kafka at {address}: {said or type(error).__name__}: check {_SERVERS}"


def _speaks_tls(error: Exception) -> bool:
    """Kafka's client takes the alert for an answer's length, and waits for as many bytes."""
    cause = error.__cause__
    return isinstance(cause, IncompleteReadError) and (cause.expected or 0) >> 24 == _TLS_ALERT
