"""The API's settings."""

from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from runtime.settings import RedisSettings, ShardSettings, StripeSettings


class ApiSettings(RedisSettings, ShardSettings, StripeSettings):
    """Everything the API is told from outside. It opens Redis, and Stripe for the portal, but never Kafka."""

    portal_return_url: str = Field(
        default="", pattern=r"^(https?://\S+)?$", description="where Stripe's portal leads back to"
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="origins whose pages may call the API, separated by commas"
    )
    stripe_webhook_secret: SecretStr = Field(default=SecretStr(""), description="whsec_...; empty: no webhook")
    rate_limit: int = Field(default=6_000, ge=0, description="requests per API key and minute; 0: no limit")
    sign_in_limit: int = Field(default=20, ge=1, description="attempts per client address in five minutes")
    fresh_seconds: float = Field(default=120.0, gt=0, description="a shard that lags by more is not ready for /readyz")
    trusted_proxies: str = Field(
        default="127.0.0.1", description="addresses whose X-Forwarded-* are believed, separated by commas; * for all"
    )
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535, description="0 for any free port")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """An origin has no path, so a final slash is only a slip of the pen."""
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
