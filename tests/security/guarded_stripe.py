"""A Stripe whose keys may do what docs/security.md gives them: one key for each role."""

import json
import re
from dataclasses import dataclass, field
from fnmatch import translate

from starlette.types import ASGIApp, Receive, Scope, Send

from tests.security.rules import rules


def key_of(role: str) -> str:
    """A restricted key."""
    return "rk_test_" + role.replace("-", "")


@dataclass
class GuardedStripe:
    """An ASGI application around the double; `refused` are the calls that no rule allows, `taken` the others."""

    app: ASGIApp
    refused: list[str] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what the key may do; a key of no role may do everything."""
        call = self._call(scope) if scope["type"] == "http" else None
        if call is not None:
            role, _, asked = call.partition(" ")
            if not any(re.fullmatch(translate(" ".join(rule.split())), asked) for rule in rules("stripe")[role]):
                self.refused.append(call)
                await _refuse(send)
                return
            self.taken.add(call)
        await self.app(scope, receive, send)

    def _call(self, scope: Scope) -> str | None:
        given = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        role = {key_of(role): role for role in rules("stripe")}.get(given)
        return None if role is None else f"{role} {scope['method']} {scope['path']}"


async def _refuse(send: Send) -> None:
    error = {"error": {"type": "invalid_request_error", "message": "The key may not do this.", "code": "permission"}}
    start = {"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"application/json")]}
    await send(start)
    await send({"type": "http.response.body", "body": json.dumps(error).encode()})
