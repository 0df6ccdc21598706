"""Whether what came out is of the shape that a document shows."""

import json
import re
from typing import Any

_NUMBER = re.compile(r"\d+(\.\d+)?")


def differs(language: str, shown: str, said: str) -> str | None:
    """Where the output differs from the one that is shown; None if it does not.

    Numbers may be any, and `...` stands for anything. Of JSON's lists the beginning may be shown, and null may stand
    for what is not known.
    """
    if language == "json":
        return _json_differs("", json.loads(shown), json.loads(said))
    return None if _alike(shown, said) else f"{said!r} is not like {shown!r}"


def _json_differs(where: str, shown: Any, said: Any) -> str | None:
    if shown is None or said is None:
        return None
    if isinstance(shown, dict) and isinstance(said, dict):
        if shown.keys() != said.keys():
            return f"{where or 'it'} has {sorted(said)}, not {sorted(shown)}"
        pairs = [(f"{where}.{key}", shown[key], said[key]) for key in shown]
    elif isinstance(shown, list) and isinstance(said, list):
        if len(shown) > len(said):
            return f"{where} has {len(said)} elements only"
        pairs = [(f"{where}[{at}]", *both) for at, both in enumerate(zip(shown, said, strict=False))]
    elif isinstance(shown, str) and isinstance(said, str):
        return None if _alike(shown, said) else f"{where} is {said!r}, not like {shown!r}"
    else:
        return None if type(shown) is type(said) else f"{where} is {said!r}, not like {shown!r}"
    return next((found for pair in pairs if (found := _json_differs(*pair))), None)


def _alike(shown: str, said: str) -> bool:
    parts = (re.escape(_NUMBER.sub("0", part)) for part in shown.strip().split("..."))
    return re.fullmatch(".*".join(parts), _NUMBER.sub("0", said).strip(), re.DOTALL) is not None
