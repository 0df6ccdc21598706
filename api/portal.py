"""`GET /api/billing/portal`: the way to Stripe's billing portal, where customers see invoices and payment methods."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from api import authentication
from api.authentication import OR_SESSION, Authenticate, Caller
from api.problems import ProblemCode, ProblemError, describe
from api.shards import shard_of
from api.stripe_portal import StripePortal
from ledger.reading import find_account, parse_account
from ledger.shard import Ledger


class PortalLink(BaseModel):
    """Where to send the customer's browser."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://billing.stripe.com/p/session/live_YWNjdF8x"}}
    )

    url: str


def portal_routes(authenticate: Authenticate, ledger: Ledger, stripe: StripePortal | None) -> APIRouter:
    """The endpoint; without Stripe it says that there is no portal."""
    router = APIRouter()

    @router.get("/api/billing/portal", operation_id="portalLink", responses=_RESPONSES, openapi_extra=OR_SESSION)
    async def portal_link(response: Response, caller: Annotated[Caller, Depends(authenticate)]) -> PortalLink:
        """A fresh link to the account's billing portal. It lasts for minutes only: use it at once."""
        if stripe is None:
            raise ProblemError(ProblemCode.PORTAL_NOT_CONFIGURED)
        record = await find_account(shard_of(ledger, caller.account), caller.account)
        customer = parse_account(record).customer
        if customer is None:
            raise ProblemError(ProblemCode.NO_STRIPE_CUSTOMER)
        url = await stripe.open_session(customer)
        response.headers.update({**caller.headers, "Cache-Control": "no-store"})
        return PortalLink(url=url)

    return router


_RESPONSES: dict[int | str, dict[str, Any]] = describe(
    *authentication.PROBLEMS,
    ProblemCode.NO_STRIPE_CUSTOMER,
    ProblemCode.PORTAL_NOT_CONFIGURED,
    ProblemCode.STRIPE_UNAVAILABLE,
    ProblemCode.NOT_READY,
    ProblemCode.STORE_UNAVAILABLE,
)
