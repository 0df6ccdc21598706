"""The problems that callers see: RFC 9457 problem details with a stable code."""

from collections.abc import Mapping
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
SCHEMAS = "#/components/schemas/"
_TYPE = "urn:telephony-billing:problem:{}"


class ProblemCode(StrEnum):
    """The codes that clients may branch on: they never change their meaning."""

    MISSING_API_KEY = "missing_api_key"
    MALFORMED_API_KEY = "malformed_api_key"
    INVALID_API_KEY = "invalid_api_key"
    INVALID_SESSION = "invalid_session"
    CROSS_SITE_REQUEST = "cross_site_request"
    NO_STRIPE_CUSTOMER = "no_stripe_customer"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    VALIDATION_ERROR = "validation_error"
    MALFORMED_REQUEST = "malformed_request"
    INVALID_BODY = "invalid_body"
    HEAD_TOO_LARGE = "head_too_large"
    REQUEST_TOO_SLOW = "request_too_slow"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INVALID_SIGNATURE = "invalid_signature"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_ATTEMPTS = "too_many_attempts"
    INTERNAL_ERROR = "internal_error"
    OVERLOADED = "overloaded"
    NOT_READY = "not_ready"
    STORE_UNAVAILABLE = "store_unavailable"
    PORTAL_NOT_CONFIGURED = "portal_not_configured"
    STRIPE_UNAVAILABLE = "stripe_unavailable"
    WEBHOOK_NOT_CONFIGURED = "webhook_not_configured"


class _Kind(NamedTuple):
    status: HTTPStatus
    title: str
    detail: str
    headers: Mapping[str, str] = MappingProxyType({})


_BEARER = {"WWW-Authenticate": "Bearer"}  # RFC 9110, 11.6.1: a 401 names its scheme
_SOON = {"Retry-After": "1"}  # seconds
_LATER = {"Retry-After": "5"}  # seconds

_KINDS = {
    ProblemCode.MISSING_API_KEY: _Kind(
        HTTPStatus.UNAUTHORIZED,
        "API key missing",
        "Send your API key in the Authorization header: Bearer tk_live_...",
        _BEARER,
    ),
    ProblemCode.MALFORMED_API_KEY: _Kind(
        HTTPStatus.UNAUTHORIZED,
        "API key malformed",
        "This is not an API key: its shape or checksum is wrong. Copy it again, whole.",
        _BEARER,
    ),
    ProblemCode.INVALID_API_KEY: _Kind(
        HTTPStatus.UNAUTHORIZED, "API key invalid", "The API key is unknown or was revoked.", _BEARER
    ),
    ProblemCode.INVALID_SESSION: _Kind(
        HTTPStatus.UNAUTHORIZED, "Session ended", "You are not signed in any more. Sign in again.", _BEARER
    ),
    ProblemCode.CROSS_SITE_REQUEST: _Kind(
        HTTPStatus.FORBIDDEN, "Cross-site request", "This address takes requests of its own pages only."
    ),
    ProblemCode.NO_STRIPE_CUSTOMER: _Kind(
        HTTPStatus.NOT_FOUND, "No Stripe customer", "Billing is not set up for this account yet."
    ),
    ProblemCode.NOT_FOUND: _Kind(HTTPStatus.NOT_FOUND, "Not found", "There is nothing at this address."),
    ProblemCode.METHOD_NOT_ALLOWED: _Kind(
        HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed", "This address does not take this method."
    ),
    ProblemCode.VALIDATION_ERROR: _Kind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "Request invalid", "A parameter is missing or invalid."
    ),
    ProblemCode.MALFORMED_REQUEST: _Kind(
        HTTPStatus.BAD_REQUEST, "Request malformed", "This is not an HTTP request that can be read."
    ),
    ProblemCode.INVALID_BODY: _Kind(HTTPStatus.BAD_REQUEST, "Body invalid", "The body is not JSON that can be read."),
    ProblemCode.HEAD_TOO_LARGE: _Kind(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
        "Head too large",
        "The request's first line and headers are larger than this server takes. Send fewer cookies and headers.",
    ),
    ProblemCode.REQUEST_TOO_SLOW: _Kind(
        HTTPStatus.REQUEST_TIMEOUT, "Request too slow", "The request did not arrive in time. Send it again."
    ),
    ProblemCode.BODY_TOO_LARGE: _Kind(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Body too large", "The request's body is larger than this address takes."
    ),
    ProblemCode.UNSUPPORTED_MEDIA_TYPE: _Kind(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "Media type not supported",
        "Send application/json or application/x-www-form-urlencoded.",
    ),
    ProblemCode.INVALID_SIGNATURE: _Kind(
        HTTPStatus.BAD_REQUEST, "Signature invalid", "The request was not signed by Stripe, or too long ago."
    ),
    ProblemCode.RATE_LIMITED: _Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "This API key was used too often. Try again after the seconds in Retry-After.",
        _SOON,
    ),
    ProblemCode.TOO_MANY_ATTEMPTS: _Kind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many attempts",
        "Too many attempts to sign in. Try again after the seconds in Retry-After.",
        _SOON,
    ),
    ProblemCode.INTERNAL_ERROR: _Kind(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error", "The request could not be answered."
    ),
    ProblemCode.OVERLOADED: _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Overloaded", "There are too many requests at once. Try again soon.", _SOON
    ),
    ProblemCode.NOT_READY: _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Not ready", "Usage is being counted again. Try again in a moment.", _SOON
    ),
    ProblemCode.STORE_UNAVAILABLE: _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Store unavailable", "Usage cannot be read at the moment.", _LATER
    ),
    ProblemCode.PORTAL_NOT_CONFIGURED: _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Portal not configured", "The billing portal is not set up on this platform."
    ),
    ProblemCode.STRIPE_UNAVAILABLE: _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Stripe unavailable",
        "The billing portal cannot be opened at the moment.",
        _LATER,
    ),
    ProblemCode.WEBHOOK_NOT_CONFIGURED: _Kind(
        HTTPStatus.SERVICE_UNAVAILABLE, "Webhook not configured", "Events cannot be verified on this platform."
    ),
}


class Problem(BaseModel):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str
    code: ProblemCode


class ProblemError(Exception):
    """Ends a request with a problem. The caller sees `detail`; default: the code's own, likewise for `headers`."""

    def __init__(
        self, code: ProblemCode, detail: str | None = None, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.detail = detail
        self.headers = headers


def problem_of(code: ProblemCode, detail: str | None = None) -> Problem:
    """Returns the body for a code."""
    kind = _KINDS[code]
    return Problem(
        type=_TYPE.format(code), title=kind.title, status=kind.status, detail=detail or kind.detail, code=code
    )


def problem_response(
    code: ProblemCode, detail: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns the whole answer for a code; `headers` are added to the code's own, and replace those of equal name."""
    kind = _KINDS[code]
    body = problem_of(code, detail).model_dump_json()
    return Response(body, kind.status, {**kind.headers, **(headers or {}), "Cache-Control": "no-store"}, MEDIA_TYPE)


def describe(*codes: ProblemCode) -> dict[int | str, dict[str, Any]]:
    """Returns the problems of an endpoint for OpenAPI: by status, with an example per code."""
    described: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        kind = _KINDS[code]
        response = described.setdefault(
            int(kind.status),
            {
                "description": kind.status.phrase,
                "headers": {name: {"schema": {"type": "string"}} for name in kind.headers},
                "content": {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}Problem"}, "examples": {}}},
            },
        )
        example = {"summary": kind.title, "value": problem_of(code).model_dump(mode="json")}
        response["content"][MEDIA_TYPE]["examples"][code.value] = example
    return described


def problem_schemas() -> dict[str, Any]:
    """Returns the components that `describe` refers to, so that client generators make one type for all endpoints."""
    _, schemas = models_json_schema([(Problem, "serialization")], ref_template=f"{SCHEMAS}{{model}}")
    return dict(schemas["$defs"])
