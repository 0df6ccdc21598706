"""Random identifiers. The source of randomness is a parameter of the application."""

import secrets
import string
from collections.abc import Callable

Token = Callable[[int], str]

_ALPHABET = string.ascii_letters + string.digits


def random_token(length: int) -> str:
    """Returns `length` random letters and digits."""
    return "".join([_ALPHABET[byte % len(_ALPHABET)] for byte in secrets.token_bytes(length)])
