"""The API's settings."""

from typing import Annotated

from pydantic import Field, field_validator
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
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=8080, ge=0, le=65535, description="0 for any free port")

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """An origin has no path, so a final slash is only a slip of the pen."""
        if not isinstance(value, str):
            return value
        return tuple(origin.strip().rstrip("/") for origin in value.split(",") if origin.strip())
