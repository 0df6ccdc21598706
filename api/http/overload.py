"""How many requests are answered at once: what a client has left behind goes on until its answer is there."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.problems import ProblemCode, problem_response


class Turnstile:
    """A middleware: beyond so many requests at once, one more is told to come back.

    The question whether the process lives is always answered: a supervisor would make a bad time worse.
    """

    def __init__(self, app: ASGIApp, most: int, always: str) -> None:
        """`always` is the path of what is answered at any time."""
        self._app = app
        self._most = most
        self._always = always
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on, while there is room."""
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
