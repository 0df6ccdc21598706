"""A Kafka that asks who somebody is and what it may do, and users of it and of a Redis, by the documented rules."""

import shlex
from pathlib import Path

import redis
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from local.servers.java import find_java
from local.servers.kafka import KafkaServer
from local.servers.kafka_jars import kafka_jars
from local.servers.ports import LOOPBACK, free_ports
from tests.security.rules import rules
from tests.support.servers import JAR_CACHE

SECURED = """
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port},CLIENT://{host}:{client_port}
advertised.listeners=BROKER://{host}:{port},CLIENT://{host}:{client_port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,CLIENT:SASL_PLAINTEXT
listener.name.client.sasl.enabled.mechanisms=PLAIN
listener.name.client.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required {users};
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


def password_of(role: str) -> str:
    """Each role's own."""
    return f"{role}-password"


class SecureKafka(KafkaServer):
    """Roles log in at `client_servers`; the broker's own listener is for the broker and for the tests."""

    def __init__(self, data: Path) -> None:
        port, controller_port, self._client_port = free_ports(3)
        super().__init__(
            data=data,
            port=port,
            controller_port=controller_port,
            java=find_java(),
            class_path=kafka_jars(JAR_CACHE.absolute()),
        )

    @property
    def client_servers(self) -> str:
        """Where users are asked for."""
        return f"{LOOPBACK}:{self._client_port}"

    def _configuration(self) -> str:
        users = " ".join(f'user_{role}="{password_of(role)}"' for role in rules("kafka"))
        return super()._configuration() + SECURED.format(
            host=LOOPBACK,
            port=self.port,
            controller_port=self.controller_port,
            client_port=self._client_port,
            users=users,
        )

    def grant(self) -> None:
        """Gives every role what the documentation gives it."""
        bindings = [
            _binding(role, rule.split()[0], rule.split()[1], operation)
            for role, lines in rules("kafka").items()
            for rule in lines
            for operation in rule.split()[2:]
        ]
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        for outcome in admin.create_acls(bindings).values():
            outcome.result(15)

    def login(self, role: str) -> dict[str, str]:
        """How librdkafka logs in as a role."""
        return {
            "bootstrap.servers": self.client_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "PLAIN",
            "sasl.username": role,
            "sasl.password": password_of(role),
        }

    def options(self, role: str) -> dict[str, str]:
        """How kafka-python does."""
        return {
            "bootstrap_servers": self.client_servers,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": role,
            "sasl_plain_password": password_of(role),
        }


def _binding(role: str, kind: str, name: str, operation: str) -> AclBinding:
    return AclBinding(
        ResourceType[kind.upper()],
        name,
        ResourcePatternType.LITERAL,
        f"User:{role}",
        "*",
        AclOperation[_enum_name(operation)],
        AclPermissionType.ALLOW,
    )


def _enum_name(operation: str) -> str:
    """DescribeConfigs is DESCRIBE_CONFIGS."""
    return "".join(f"_{char}" if char.isupper() else char for char in operation).lstrip("_").upper()


def grant_redis(url: str) -> None:
    """Gives every role its user at a Redis."""
    with redis.Redis.from_url(url) as client:
        for role, (rule,) in rules("redis").items():
            words = shlex.split(rule)
            client.execute_command("ACL", "SETUSER", role, "reset", "on", f">{password_of(role)}", *selectors(words))


def selectors(words: list[str]) -> list[str]:
    """The words of a rule, those of each selector together: (~a +b) is one argument."""
    found, inside = list[str](), list[str]()
    for word in words:
        inside.append(word)
        if word.endswith(")") or (not inside[0].startswith("(")):
            found.append(" ".join(inside))
            inside = []
    return found
