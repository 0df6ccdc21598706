"""Asking a service over HTTP whether it answers."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

PROBE_SECONDS = 2.0
_direct = build_opener(ProxyHandler({}))  # what listens on this machine is not behind a proxy


class ProbeAnswer(NamedTuple):
    """An HTTP answer; `status` 0: none came."""

    status: int
    body: bytes

    def totals(self) -> dict[str, int]:
        """The totals by meter that an answer of `/api/billing/usage` holds."""
        return {entry["meter"]: entry["total"] for entry in json.loads(self.body)["usage"]}


def ask(url: str, headers: Mapping[str, str] | None = None) -> ProbeAnswer:
    """GET an http:// URL of this machine; never raises for what the other side does."""
    request = Request(url, headers=dict(headers or {}))  # noqa: S310 - our own http:// URL
    try:
        with _direct.open(request, timeout=PROBE_SECONDS) as answer:
            return ProbeAnswer(answer.status, answer.read())
    except HTTPError as error:
        with error:
            return ProbeAnswer(error.code, error.read())
    except (OSError, HTTPException):
        return ProbeAnswer(0, b"")


def is_there(url: str) -> bool:
    """Whether it answers with 200."""
    return ask(url).status == 200
