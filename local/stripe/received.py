"""A request as the gateway reads it: API key, idempotency key, parameters."""

from typing import Any

from starlette.requests import Request

from local.stripe.answers import fingerprint
from local.stripe.auth import bearer_of
from local.stripe.endpoint import Endpoint
from local.stripe.errors import StripeError
from local.stripe.forms import decode
from local.stripe.parameters import Params, parse, parse_json

_MEDIA_TYPES = {"v1": "application/x-www-form-urlencoded", "v2": "application/json"}


class Received:
    """A request whose body has been read. Only the Idempotency-Key of a POST counts."""

    def __init__(self, endpoint: Endpoint[Any], request: Request, body: bytes, request_id: str) -> None:
        self.endpoint = endpoint
        self.body = body
        self.request_id = request_id
        self.path: str = request.scope["path"]
        self.query: str = request.scope["query_string"].decode(errors="replace")
        self.names: dict[str, Any] = request.path_params
        self.livemode = False
        self._headers = request.headers
        post = endpoint.method == "POST"
        self.idempotency_key = (self._headers.get("idempotency-key") or None) if post else None
        self.fingerprint = fingerprint(endpoint.method, self.path, body) if self.idempotency_key else b""

    @property
    def bearer(self) -> str:
        """Returns the API key or token.

        Raises:
            StripeError: 401 if there is none.
        """
        return bearer_of(self._headers.get("authorization", ""))

    @property
    def text(self) -> str:
        """Returns path, query and body, for the faults to match."""
        return f"{self.path}?{self.query} {self.body.decode(errors='replace')}"

    def params(self) -> Params:
        """Returns the endpoint's parameters, checked.

        Raises:
            StripeError: 400 for a wrong media type or parameter.
        """
        if self.body:
            self._check_media_type()
        model: type[Params] = self.endpoint.params
        if self.endpoint.method != "POST":
            return parse(model, decode(self.query))
        if self.endpoint.v2:
            return parse_json(model, self.body or b"{}")
        return parse(model, decode(self.body.decode(errors="replace")))

    def _check_media_type(self) -> None:
        expected = _MEDIA_TYPES["v2" if self.endpoint.v2 else "v1"]
        if self._headers.get("content-type", "").partition(";")[0].strip().lower() != expected:
            raise StripeError(f"Invalid request (check that your POST content type is {expected}).")
