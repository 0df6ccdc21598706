"""An account's billing facts, as `billing.accounts` records them."""

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from metering.limits import ACCOUNT_PATTERN

AccountId = Annotated[str, StringConstraints(pattern=ACCOUNT_PATTERN)]
_ACCOUNT_ID = re.compile(ACCOUNT_PATTERN)
StripeCustomerId = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
LAST_SECOND = 4_102_444_799  # 2099-12-31T23:59:59Z: milliseconds by mistake are refused, no period could be drawn
UnixSeconds = Annotated[int, Field(ge=0, le=LAST_SECOND)]


def is_account_id(text: str) -> bool:
    """Whether a text may be an account's id (`ACCOUNT_PATTERN`)."""
    return _ACCOUNT_ID.fullmatch(text) is not None


class Account(BaseModel):
    """What is known of an account beyond its usage.

    `anchor` and `subscription_start` are Unix seconds. Without a customer, usage is counted and waits; without an
    anchor, periods are UTC calendar months; without a subscription start, all usage is billable.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    customer: StripeCustomerId | None = None
    anchor: UnixSeconds | None = None
    subscription_start: UnixSeconds | None = None

    @property
    def opening(self) -> int | None:
        """The second that no usage of its hour may be stamped before: the subscription's start.

        Where that is not known it is the anchor, at which Stripe lets a subscription begin unless it is told otherwise;
        of an older subscription the anchor's hour is billed as well, only by the period that begins there.
        """
        return self.anchor if self.subscription_start is None else self.subscription_start

    def to_json(self) -> bytes:
        """The record's value: only what is set."""
        return self.model_dump_json(exclude_none=True).encode()
