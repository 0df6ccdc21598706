"""Asks a service over HTTP whether it answers."""

import json
from collections.abc import Mapping
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

PROBE_SECONDS = 2.0  # seconds until an answer must come
_direct = build_opener(ProxyHandler({}))  # without a proxy: the services are on this machine


class ProbeAnswer(NamedTuple):
    """An HTTP answer; `status` 0: there was no answer."""

    status: int
    body: bytes

    def totals(self) -> dict[str, int]:
        """Returns the totals by meter of an answer of `/api/billing/usage`."""
        return {entry["meter"]: entry["total"] for entry in json.loads(self.body)["usage"]}


def ask(url: str, headers: Mapping[str, str] | None = None) -> ProbeAnswer:
    """Sends GET to an http:// URL of this machine; never raises for a fault of the server."""
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
    """Returns whether the URL answers with 200."""
    return ask(url).status == 200
