"""Decodes Stripe's form encoding: `a[b]=c`, `a[0][b]=c` and `a[]=c` become nested mappings of strings."""

import re
from typing import Any
from urllib.parse import parse_qsl

from local.stripe.errors import StripeError

Form = dict[str, Any]

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(encoded: str) -> Form:
    """Decodes a query string or a form body. An array becomes a mapping of indexes; the parameter's type converts it.

    Raises:
        StripeError: 400 if a name can't be read, or is both a value and a mapping.
    """
    form: Form = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        _put(form, _path(name), name, value)
    return form


def _path(name: str) -> list[str]:
    match = _NAME.fullmatch(name)
    if match is None:
        raise StripeError(f"Invalid parameter name: {name}", param=name)
    return [match[1], *_PART.findall(match[2])]


def _put(form: Form, path: list[str], name: str, value: str) -> None:
    *parents, last = path
    for part in parents:
        form = form.setdefault(part or str(len(form)), {})
        if not isinstance(form, dict):
            raise StripeError(f"Invalid hash: {name}", param=name)
    if isinstance(form.get(last), dict):
        raise StripeError(f"Invalid string: {name}", param=name)
    form[last or str(len(form))] = value
