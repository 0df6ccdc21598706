"""Makes the answers of scripted faults. They have a header, so that a test can recognise them as intended."""

import math
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from local.stripe.errors import StripeError
from local.stripe.faults import Fault, Rule
from local.stripe.rates import rate_limited
from local.stripe.sessions import expired

MARK = "Stripe-Double-Fault"
TRANSPORT = "transport"
"""The key in a scope's `state` that holds the request's connection."""

_RESET = struct.pack("ii", 1, 0)
_HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


class Cut(Response):
    """No answer: ends the connection by a close (FIN) or a reset (RST)."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__(status_code=0)
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, _: Send) -> None:
        """Ends the connection, and waits until it has ended.

        Raises:
            ConnectionResetError: the application runs without a server, as in tests, so there is no connection.
        """
        transport = scope.get("state", {}).get(TRANSPORT)
        if transport is None:
            raise ConnectionResetError("the double cut the connection")
        if self._reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            transport.abort()
        else:
            transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


def refusal_of(rule: Rule, *, v2: bool) -> StripeError | None:
    """Returns the error that a fault answers with; None if the fault is not an error of Stripe's."""
    match rule.fault:
        case Fault.ERROR_BEFORE | Fault.ERROR_AFTER:
            kind, code = (None, "api_error") if v2 else ("api_error", None)
            return StripeError("An unknown error occurred.", status=500, type=kind, code=code)
        case Fault.CONFLICT:
            kind, code = (None, "too_many_concurrent_requests") if v2 else ("invalid_request_error", "lock_timeout")
            message = "Another request is accessing this object right now. Please try again."
            return StripeError(message, status=409, type=kind, code=code)
        case Fault.RATE_LIMITED:
            return rate_limited(v2=v2, headers={"Retry-After": str(math.ceil(rule.seconds))})
        case Fault.UNAUTHORIZED:
            return StripeError("Invalid API Key provided: ****", status=401, code="api_key_invalid" if v2 else None)
        case Fault.FORBIDDEN:
            message = "The provided key does not have the required permissions for this endpoint on this account."
            return StripeError(message, status=403, code="forbidden" if v2 else None)
        case Fault.SESSION_EXPIRED:
            return expired()
        case _:
            return None


def spoiled(rule: Rule, answer: Response) -> Response:
    """Returns what a fault leaves of an answer."""
    match rule.fault:
        case Fault.ACCEPT_THEN_DROP | Fault.REFUSE_AND_DROP:
            return Cut(reset=False)
        case Fault.DISCONNECT:
            return Cut(reset=True)
        case Fault.BAD_GATEWAY:
            return Response(_HTML, 502, {MARK: rule.fault}, "text/html")
        case Fault.TRUNCATED:
            body = bytes(answer.body)
            return Response(body[: len(body) // 2], answer.status_code, {MARK: rule.fault}, "application/json")
        case _:
            answer.headers[MARK] = rule.fault
            return answer
