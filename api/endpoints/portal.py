"""`GET /api/billing/portal`: a link to Stripe's billing portal, where customers see invoices and payment methods."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from api.callers import authentication
from api.callers.authentication import OR_SESSION, Authenticate, Caller
from api.callers.rate_limit import RATE_HEADERS
from api.endpoints.stripe_portal import StripePortal
from api.http.describing import Tag
from api.http.problems import ProblemCode, ProblemError, describe
from api.reading.shards import shard_of
from ledger.attempts import count_portal_link
from ledger.reading import find_account, parse_account
from ledger.shard import Ledger, Shard

WINDOW_SECONDS = 60  # seconds


class PortalLink(BaseModel):
    """Where to send the customer's browser."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://billing.stripe.com/p/session/live_YWNjdF8x"}}
    )

    url: str


def portal_routes(authenticate: Authenticate, ledger: Ledger, stripe: StripePortal | None, limit: int) -> APIRouter:
    """Returns the endpoint. `stripe` None: there is no portal. `limit`: links per account and minute; 0: no limit."""
    router = APIRouter(tags=[Tag.PORTAL])

    @router.get("/api/billing/portal", operation_id="portalLink", responses=_RESPONSES, openapi_extra=OR_SESSION)
    async def portal_link(response: Response, caller: Annotated[Caller, Depends(authenticate)]) -> PortalLink:
        """A fresh link to the account's billing portal. It lasts for minutes only: use it at once."""
        if stripe is None:
            raise ProblemError(ProblemCode.PORTAL_NOT_CONFIGURED)
        shard = shard_of(ledger, caller.account)
        record = await find_account(shard, caller.account)
        customer = parse_account(record).customer
        if customer is None:
            raise ProblemError(ProblemCode.NO_STRIPE_CUSTOMER)
        if limit:
            await _count(shard, caller.account, limit)
        url = await stripe.open_session(customer)
        response.headers.update({**caller.headers, "Cache-Control": "no-store"})
        return PortalLink(url=url)

    return router


async def _count(shard: Shard, account: str, limit: int) -> None:
    """Counts a link. A link is a call to Stripe, and shares Stripe's rate limit with the Stripe worker.

    Raises:
        ProblemError: `rate_limited`: the account has asked for too many links.
    """
    links = await count_portal_link(shard, account, seconds=WINDOW_SECONDS)
    if links.count > limit:
        raise ProblemError(
            ProblemCode.RATE_LIMITED,
            f"An account gets {limit} links to its portal a minute. Try again after the seconds in Retry-After.",
            headers={"Retry-After": str(max(links.seconds_left, 1))},
        )


_RESPONSES: dict[int | str, dict[str, Any]] = describe(
    *authentication.PROBLEMS,
    ProblemCode.NO_STRIPE_CUSTOMER,
    ProblemCode.PORTAL_NOT_CONFIGURED,
    ProblemCode.STRIPE_UNAVAILABLE,
    ProblemCode.NOT_READY,
    ProblemCode.STORE_UNAVAILABLE,
)
_RESPONSES[200] = {"headers": RATE_HEADERS}
