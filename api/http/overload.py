"""Limits the number of requests at once. A request goes on to its answer even if its client has gone away."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problems import ProblemCode, problem_response


class Turnstile:
    """A middleware: answers 503 to further requests while `most` requests are in progress.

    The health check is always answered: otherwise a supervisor would restart an overloaded process.
    """

    def __init__(self, app: ASGIApp, most: int, always: str) -> None:
        """`always` is the path that is answered at any time."""
        self._app = app
        self._most = most
        self._always = always
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on if there is room."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._inside >= self._most and scope["path"] != self._always:
            await problem_response(ProblemCode.OVERLOADED)(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
