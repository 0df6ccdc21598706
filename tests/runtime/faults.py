"""Servers that are wrong in one way each, and the settings that lead to them."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.servers.ports import LOOPBACK, free_port
from local.servers.redis import RedisServer
from tests.security.servers import SecureKafka

SECRET = "sk_test_secret"  # noqa: S105 - of nobody
PASSWORD = "a-password"  # noqa: S105 - of a server that lives for a test
STATELESS = "nobody-may"


@dataclass(frozen=True, slots=True)
class Places:
    """What is where; `nowhere` is a port at which nothing listens, `tls` one that shows an untrusted certificate."""

    kafka: str
    topics: str
    sasl_kafka: str
    redis: str
    guarded: RedisServer
    cluster: RedisServer
    tls: str
    files: Path
    nowhere: str

    @property
    def servers(self) -> dict[str, str]:
        """Kafka with its topics, and Redis, as they should be."""
        return {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "BILLING_TOPIC_PREFIX": self.topics,
            "BILLING_REDIS_URL": self.redis,
        }

    @property
    def copy(self) -> dict[str, str]:
        """The same, for a second copy of the state."""
        return self.servers | {"BILLING_REDIS_PREFIX": "copy:"}

    def sasl(self, server: str, user: str = "operator", mechanism: str = "PLAIN") -> dict[str, str]:
        """A login with a wrong password."""
        return {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": server,
            "BILLING_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "BILLING_KAFKA_SASL_MECHANISM": mechanism,
            "BILLING_KAFKA_SASL_USERNAME": user,
            "BILLING_KAFKA_SASL_PASSWORD": PASSWORD,
        }

    def ssl(self, server: str, cafile: str = "") -> dict[str, str]:
        """TLS."""
        return {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": server,
            "BILLING_KAFKA_SECURITY_PROTOCOL": "SSL",
            "BILLING_KAFKA_SSL_CAFILE": cafile,
        }

    def redis_at(self, server: RedisServer, user: str = "") -> dict[str, str]:
        """Another Redis, beside a Kafka that is right."""
        return self.servers | {"BILLING_REDIS_URL": f"redis://{user}{LOOPBACK}:{server.port}/0"}


def guard(server: RedisServer) -> None:
    """Asks for a password from now on, and has a user without rights."""
    with redis.Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", STATELESS, "on", f">{PASSWORD}", "~*", "+ping")
        client.config_set("requirepass", PASSWORD)


def certificate(directory: Path) -> Path:
    """A file with a key, and a certificate that nobody has signed but itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    file = directory / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()) + made.public_bytes(pem)
    )
    return file


@contextmanager
def tls_server(file: Path) -> Iterator[str]:
    """Shakes hands with whoever speaks TLS, and says in TLS to others that they don't."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server((LOOPBACK, 0)) as door:
        threading.Thread(target=_shake_hands, args=(door, context), daemon=True).start()
        yield f"{LOOPBACK}:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)


def _shake_hands(door: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            client, _ = door.accept()
        except OSError:
            return
        try:
            context.wrap_socket(client, server_side=True).close()
        except OSError:
            client.close()


@contextmanager
def asking_for_a_login(directory: Path) -> Iterator[str]:
    """A Kafka that asks who somebody is."""
    server = SecureKafka(directory)
    try:
        server.start()
        yield server.client_servers
    finally:
        server.kill()


def nowhere() -> str:
    """An address at which nothing listens."""
    return f"{LOOPBACK}:{free_port()}"
