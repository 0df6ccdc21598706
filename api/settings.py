"""The API's settings."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from api.forwarded import TrustedProxies
from runtime.http_server import HttpBounds
from runtime.settings import PatienceSettings, RedisSettings, ShardSettings, StripeSettings


class ApiSettings(RedisSettings, ShardSettings, StripeSettings, PatienceSettings):
    """The API's settings. The API connects to Redis, and to Stripe for the portal, but never to Kafka."""

    portal_return_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="where Stripe's portal leads back to"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="origins whose pages may call the API, separated by commas"
    )
    stripe_webhook_secret: SecretStr = Field(default=SecretStr(""), description="whsec_...; empty: no webhook")
    rate_limit: int = Field(default=6_000, ge=0, description="requests per API key and minute; 0: no limit")
    sign_in_limit: int = Field(default=20, ge=1, description="attempts per client address in five minutes")
    portal_limit: int = Field(default=10, ge=0, description="links to the portal per account and minute; 0: no limit")
    portal_calls: int = Field(default=10, ge=1, description="calls to Stripe at once; others wait for their turn")
    fresh_seconds: float = Field(default=120.0, gt=0, description="a shard that lags by more is not ready for /readyz")
    trusted_proxies: Annotated[TrustedProxies, NoDecode] = Field(
        default=TrustedProxies.parse("127.0.0.1"),
        description="addresses and networks whose X-Forwarded-* are believed, separated by commas; or how many proxies",
    )
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535, description="0 for any free port")
    http_connections: int = Field(default=1_000, ge=1, description="at once")
    http_connections_per_address: int = Field(default=200, ge=1, description="at once; proxies may have all")
    http_head_bytes: int = Field(default=16_384, ge=1_024, description="of a request's first line and headers")
    http_client_seconds: float = Field(
        default=10.0, gt=0, description="for a client to send a request, and as many to take the answer"
    )
    http_idle_seconds: float = Field(default=5.0, gt=0, description="between two requests of a connection")

    @property
    def bounds(self) -> HttpBounds:
        """Returns the limits for clients' connections."""
        return HttpBounds(
            connections=self.http_connections,
            connections_of_one=self.http_connections_per_address,
            head_bytes=self.http_head_bytes,
            client_seconds=self.http_client_seconds,
            idle_seconds=self.http_idle_seconds,
        )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _proxies(cls, value: object) -> object:
        return TrustedProxies.parse(value) if isinstance(value, str) else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Splits at commas, and removes a final slash: an origin has no path."""
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
