"""A row: one frozen quantity that Stripe is told exactly once."""

import json
from hashlib import sha256
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from metering.account import AccountId, StripeCustomerId
from metering.meters import BY_NAME

MAX_IDENTIFIER_LENGTH = 100  # Stripe, meter event `identifier`
MAX_VALUE = 10**15 - 1
"""Units of one row. Stripe refuses a meter event value of more than 15 digits (changelog of 2026-04-22, "validation for
billing meter event values"); what a bucket has beyond is told by the rows that follow."""


class Row(BaseModel):
    """The units of one bucket between two watermarks, for one Stripe customer at one timestamp.

    `start` and `end` are claimed and counted units of the bucket (`hour`, UTC hours since the epoch) when the row
    was planned; what Stripe is told is their difference. `timestamp` is in Unix seconds. `carried` says that the
    bucket's own period could no longer be billed, so that the timestamp is the current period's start.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: AccountId
    meter: str
    hour: Annotated[int, Field(ge=0)]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(gt=0)]
    customer: StripeCustomerId
    timestamp: Annotated[int, Field(ge=0)]
    carried: bool = False

    @model_validator(mode="after")
    def _checks(self) -> Self:
        if self.meter not in BY_NAME:
            raise ValueError(f"unknown meter {self.meter!r}")
        if not 0 < self.value <= MAX_VALUE:
            raise ValueError(f"value {self.value} is not between 1 and {MAX_VALUE}")
        return self

    @property
    def value(self) -> int:
        """The units that Stripe is told."""
        return self.end - self.start

    @property
    def bucket_key(self) -> str:
        """The bucket that the row claims from."""
        return bucket_key(self.account, BY_NAME[self.meter].index, self.hour)

    @property
    def minute_key(self) -> str:
        """What a question to Stripe's summaries can tell apart: meter, minute and customer."""
        return f"{BY_NAME[self.meter].index}|{self.timestamp // 60}|{self.customer}"

    @property
    def units(self) -> tuple[str, str, int, int, int]:
        """Which units of the count the row is about: account, meter, hour, from, to."""
        return self.account, self.meter, self.hour, self.start, self.end

    @property
    def carried_key(self) -> str:
        """What carried units are summed by: account, meter and minute."""
        return f"{self.account}|{BY_NAME[self.meter].index}|{self.timestamp // 60}"

    def identifier(self, namespace: str) -> str:
        """The meter event identifier: a hash of the namespace and every field.

        The same row has the same identifier wherever and whenever it is sent; any other body has another.
        """
        body = json.dumps([namespace, *self.model_dump().values()], separators=(",", ":"), ensure_ascii=True)
        return sha256(body.encode()).hexdigest()


def bucket_key(account: str, meter: int, hour: int) -> str:
    """The name of a bucket of one account and meter; an account has no `|` in it."""
    return f"{account}|{meter}|{hour}"


def split_bucket_key(key: str) -> tuple[str, int, int]:
    """The account, meter index and hour of a bucket's name."""
    account, meter, hour = key.rsplit("|", 2)
    return account, int(meter), int(hour)
