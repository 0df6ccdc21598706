"""Stripe's customer portal: one fresh session per call, every refusal with one fate."""

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

CALL_SECONDS = 10.0

log = logging.getLogger(__name__)


class StripePortal:
    """Opens portal sessions. Its connections are closed with `close`."""

    def __init__(self, settings: ApiSettings, *, call_seconds: float = CALL_SECONDS) -> None:
        """`call_seconds` bounds each call as a whole, its turn included. Nothing is retried: the caller is waiting."""
        self._call_seconds = call_seconds
        self._turns = asyncio.Semaphore(settings.portal_calls)
        self._return_url = settings.portal_return_url
        self._http = HTTPXClient(timeout=call_seconds)
        self._sessions = connect(settings, self._http).v1.billing_portal.sessions

    async def open_session(self, customer: str) -> str:
        """The URL of a fresh session, valid for minutes only: never to be kept.

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
    """What a refusal of a portal session means for the caller.

    Stripe names a customer that does not exist, or no longer, by code and parameter. Every other invalid request is
    about the platform's portal settings: no default configuration, or no or a wrong return URL.
    """
    if not isinstance(error, InvalidRequestError):
        return ProblemCode.STRIPE_UNAVAILABLE
    if error.code == "resource_missing" and error.param == "customer":
        return ProblemCode.NO_STRIPE_CUSTOMER
    return ProblemCode.PORTAL_NOT_CONFIGURED


def _report(error: StripeError, code: ProblemCode) -> None:
    """Logs a refusal; one that lasts until a person acts is an error."""
    lasting = code is ProblemCode.PORTAL_NOT_CONFIGURED or isinstance(error, AuthenticationError | PermissionError)
    log.log(
        logging.ERROR if lasting else logging.WARNING,
        "Stripe refused a portal session (%s, status %s, code %s, request %s): answered %s",
        *(type(error).__name__, error.http_status, error.code, error.request_id, code),
    )
