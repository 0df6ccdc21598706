"""Stripe's refusals: one exception with two bodies, for v1 and for v2."""

from typing import Any

Json = dict[str, Any]

INVALID_REQUEST = "invalid_request_error"
IDEMPOTENCY = "idempotency_error"


class StripeError(Exception):
    """A refusal in Stripe's words.

    `executed`: the endpoint had begun its work. Stripe stores the answer of an executed request under its
    Idempotency-Key. A refusal of parameters, of a key or of a concurrent request is not stored: a retry is executed.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str | None = INVALID_REQUEST,  # noqa: A002 - Stripe's word
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
        executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.headers = headers or {}
        self.executed = executed
        self.doc_url: str | None = None

    def v1_body(self) -> Json:
        """`{"error": {type, message, code?, param?}}`."""
        optional = {"code": self.code, "param": self.param}
        return {
            "error": {"message": self.message, "type": self.type or INVALID_REQUEST}
            | {name: value for name, value in optional.items() if value is not None}
        }

    def v2_body(self) -> Json:
        """`{"error": {code, message, type?, doc_url?}}`: a v2 error always has a code."""
        body: Json = {"error": {"code": self.code or self.type, "message": self.message}}
        optional = {"type": self.type, "doc_url": self.doc_url}
        body["error"] |= {name: value for name, value in optional.items() if value is not None}
        return body


def no_such(kind: str, identity: str, *, param: str, status: int = 400) -> StripeError:
    """Returns the error for an object that does not exist; `status` is 404 if the path names the object."""
    message = f"No such {kind}: '{identity}'"
    return StripeError(message, status=status, code="resource_missing", param=param, executed=True)


def unknown_parameter(param: str) -> StripeError:
    """Returns the error for a parameter that the endpoint does not have."""
    return StripeError(f"Received unknown parameter: {param}", code="parameter_unknown", param=param)


def missing_parameter(param: str) -> StripeError:
    """Returns the error for a missing required parameter."""
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def unknown_path(method: str, path: str) -> StripeError:
    """Returns the error for a method and path without an endpoint."""
    return StripeError(
        f"Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at "
        "https://support.stripe.com/.",
        status=404,
        code="not_found" if path.startswith("/v2/") else None,
    )
