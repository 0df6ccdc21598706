"""Settings, read once at the top of each process from environment variables that begin with `BILLING_`.

Each class is one concern; a process combines the ones it needs (`class ApiSettings(RedisSettings, ...)`).
"""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# The key that the Stripe double accepts by convention; no real Stripe account has it.
DOUBLE_API_KEY = "sk_test_double"
STRIPE_API_BASE = "https://api.stripe.com"
STRIPE_METER_EVENTS_BASE = "https://meter-events.stripe.com"
SINGLE_RATE = 800.0  # 80 % of what Stripe takes of single meter events a second
STREAM_RATE = 8_000.0  # 80 % of what it takes on the stream
GIVE_UP_SECONDS = 60.0
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:,/\[\]]+)(?::(?P<port>\d{1,5}))?")
_REDIS_SCHEMES = ("redis", "rediss", "redis+cluster", "unix")


class Settings(BaseSettings):
    """The common prefix; unknown variables are ignored, because every process sees the whole environment."""

    model_config = SettingsConfigDict(env_prefix="BILLING_", extra="ignore")


class ProcessSettings(Settings):
    """What names a process: in logs, and as its static member id in Kafka's consumer groups."""

    process_name: str = Field(default="", description="unique per running process; empty: a dynamic member")


class MonitorSettings(Settings):
    """Where a worker serves its health and metrics."""

    http_host: str = "127.0.0.1"
    http_port: int = Field(default=0, ge=0, le=65535, description="0: not at all")


class PatienceSettings(Settings):
    """How long a process waits for what it stands on."""

    give_up_seconds: float = Field(
        default=GIVE_UP_SECONDS, gt=0, description="of Redis, Kafka or Stripe being away; then the process ends"
    )


class ShardSettings(Settings):
    """How many shards the state has: every process that asks for one must agree."""

    partitions: int = Field(default=12, ge=1, description="partitions of every sharded topic: chosen once, for ever")


class KafkaSettings(ShardSettings):
    """Where Kafka is, how to log in, and what the topics are called."""

    kafka_bootstrap_servers: str = "127.0.0.1:9092"
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    kafka_sasl_username: str = ""
    kafka_sasl_password: SecretStr = SecretStr("")
    kafka_ssl_cafile: str | None = None
    kafka_ssl_certfile: str | None = None
    kafka_ssl_keyfile: str | None = None
    kafka_replication_factor: int = Field(default=1, ge=1)
    topic_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._-]*$")

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _addresses(cls, value: str) -> str:
        servers = [server.strip() for server in value.split(",")]
        for server in servers:
            found = _ADDRESS.fullmatch(server)
            if found is None or int(found["port"] or 1) not in range(1, 65_536):
                raise ValueError(f"{server!r} is no address: write host:port, several separated by commas")
        return ",".join(servers)

    @model_validator(mode="after")
    def _a_login_has_a_name(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL") and not self.kafka_sasl_username:
            raise ValueError(
                f"BILLING_KAFKA_SASL_USERNAME is not set, and BILLING_KAFKA_SECURITY_PROTOCOL is "
                f"{self.kafka_security_protocol}: set it and BILLING_KAFKA_SASL_PASSWORD"
            )
        return self


class RedisSettings(Settings):
    """Where the folded state lives."""

    redis_url: str = "redis://127.0.0.1:6379/0"
    redis_prefix: str = Field(default="", pattern=r"^[A-Za-z0-9._:-]*$")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        """The message says nothing of the value: there may be a password in it."""
        try:
            url = urlsplit(value)
            right = url.scheme in _REDIS_SCHEMES and url.port != 0 and bool(url.hostname or url.scheme == "unix")
        except ValueError:  # a port that is none
            right = False
        if not right or not (url.scheme == "unix" or re.fullmatch(r"/?\d*", url.path)):
            raise ValueError("write redis://host:port/0, rediss:// for TLS, redis+cluster:// for a cluster")
        return value


class CopySettings(RedisSettings):
    """Whether this process belongs to a second copy of the state, which only folds."""

    fold_only: bool = Field(default=False, description="writes nothing to Kafka, sends nothing to Stripe")

    @model_validator(mode="after")
    def _a_copy_has_a_prefix(self) -> "CopySettings":
        """Among the first copy's own workers, one that only folds would lose dead letters and re-routed usage."""
        if self.fold_only and not self.redis_prefix:
            raise ValueError("BILLING_FOLD_ONLY=1 folds a second copy: give it a BILLING_REDIS_PREFIX of its own")
        return self


class StripeSettings(Settings):
    """How to reach Stripe, and how fast."""

    stripe_api_key: SecretStr = SecretStr("")
    stripe_api_base: str = STRIPE_API_BASE
    stripe_meter_events_base: str = ""
    stripe_transport: Literal["single", "stream"] = "single"
    stripe_rate_limit: float = Field(
        default=SINGLE_RATE, gt=0, description="rows per second of the whole platform; stream: ten times the default"
    )
    stripe_account: str = Field(default="", description="acct_...: where a restricted key may not read its account")

    @field_validator("stripe_api_base", "stripe_meter_events_base")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/]\S*", value):
            raise ValueError(f"{value!r} is no address: write https://host, or leave it out for Stripe's own")
        return value

    @field_validator("stripe_api_key")
    @classmethod
    def _a_key_is_one_word(cls, value: SecretStr) -> SecretStr:
        """A line end that came with it out of a file would be refused by the HTTP client, with a traceback."""
        key = value.get_secret_value().strip()
        if not key.isascii() or any(char.isspace() for char in key):
            raise ValueError("it holds what no key of Stripe's does: copy it again (sk_... or rk_...)")
        return SecretStr(key)

    @model_validator(mode="after")
    def _meter_events_base_follows(self) -> "StripeSettings":
        if not self.stripe_meter_events_base:
            real = self.stripe_api_base == STRIPE_API_BASE
            self.stripe_meter_events_base = STRIPE_METER_EVENTS_BASE if real else self.stripe_api_base
        return self

    @model_validator(mode="after")
    def _rate_follows(self) -> "StripeSettings":
        if self.stripe_transport == "stream" and "stripe_rate_limit" not in self.model_fields_set:
            self.stripe_rate_limit = STREAM_RATE
        return self

    @property
    def stripe_livemode(self) -> bool:
        """True for a live key. Stripe's keys name their mode: sk_live_, rk_live_, sk_test_, rk_test_."""
        return "_live_" in self.stripe_api_key.get_secret_value()[:8]
