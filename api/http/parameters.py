"""Refuses unknown query parameters: otherwise a mistyped one would have no effect, and the caller would not notice."""

from collections.abc import Callable

from starlette.requests import Request

from api.http.problems import ProblemCode, ProblemError

_MOST = 3  # unknown names in the answer
_LONGEST = 40  # characters of an unknown name in the answer


def only_known(*known: str) -> Callable[[Request], None]:
    """Returns a dependency that refuses all parameters but these, with `validation_error`."""

    def refuse(request: Request) -> None:
        unknown = [name for name in dict.fromkeys(request.query_params) if name not in known]
        if unknown:
            named = ", ".join(repr(name[:_LONGEST]) for name in unknown[:_MOST])
            takes = f"It takes {', '.join(known)}." if known else "It takes none."
            raise ProblemError(
                ProblemCode.VALIDATION_ERROR, f"This address does not know the parameter {named}. {takes}"
            )

    return refuse
