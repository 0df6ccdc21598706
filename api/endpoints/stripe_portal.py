"""Opens sessions of Stripe's customer portal, and turns Stripe's refusals into problems."""

import asyncio
import logging

from stripe import (
    AuthenticationError,
    HTTPXClient,
    InvalidRequestError,
    PermissionError,  # noqa: A004 - Stripe's word
    StripeError,
)

from api.http.problems import ProblemCode, ProblemError
from api.settings import ApiSettings
from runtime.stripe import connect

CALL_SECONDS = 10.0  # seconds for a call, its wait for a turn included

log = logging.getLogger(__name__)


class StripePortal:
    """Opens portal sessions. Its connections are closed with `close`."""

    def __init__(self, settings: ApiSettings, *, call_seconds: float = CALL_SECONDS) -> None:
        """`call_seconds` limits a whole call, its wait for a turn included. No retries: the caller is waiting."""
        self._call_seconds = call_seconds
        self._turns = asyncio.Semaphore(settings.portal_calls)
        self._return_url = settings.portal_return_url
        self._http = HTTPXClient(timeout=call_seconds)
        self._sessions = connect(settings, self._http).v1.billing_portal.sessions

    async def open_session(self, customer: str) -> str:
        """Opens a new session and returns its URL. It is valid only for minutes: never keep it.

        Raises:
            ProblemError: `no_stripe_customer`, `portal_not_configured` or `stripe_unavailable`.
        """
        try:
            async with asyncio.timeout(self._call_seconds), self._turns:
                if self._return_url:
                    session = await self._sessions.create_async({"customer": customer, "return_url": self._return_url})
                else:
                    session = await self._sessions.create_async({"customer": customer})
        except StripeError as error:
            code = problem_of_refusal(error)
            _report(error, code)
            raise ProblemError(code) from error
        except TimeoutError as error:
            log.warning("Stripe did not open a portal session within %g s", self._call_seconds)
            raise ProblemError(ProblemCode.STRIPE_UNAVAILABLE) from error
        return session.url

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.close_async()  # type: ignore[no-untyped-call]


def problem_of_refusal(error: StripeError) -> ProblemCode:
    """Returns the problem for Stripe's refusal of a portal session.

    If the customer does not exist (any more), Stripe says so by code and parameter. All other invalid requests are
    about the platform's portal settings: no default configuration, or a missing or wrong return URL.
    """
    if not isinstance(error, InvalidRequestError):
        return ProblemCode.STRIPE_UNAVAILABLE
    if error.code == "resource_missing" and error.param == "customer":
        return ProblemCode.NO_STRIPE_CUSTOMER
    return ProblemCode.PORTAL_NOT_CONFIGURED


def _report(error: StripeError, code: ProblemCode) -> None:
    """Logs a refusal: as an error if it lasts until a person acts, else as a warning."""
    lasting = code is ProblemCode.PORTAL_NOT_CONFIGURED or isinstance(error, AuthenticationError | PermissionError)
    log.log(
        logging.ERROR if lasting else logging.WARNING,
        "Stripe refused a portal session (%s, status %s, code %s, request %s): answered %s",
        *(type(error).__name__, error.http_status, error.code, error.request_id, code),
    )
