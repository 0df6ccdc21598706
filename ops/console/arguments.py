"""Checks and parses options and arguments; the errors show how to write them."""

import re

from metering import rfc3339
from metering.account import is_account_id
from ops.console.errors import OpsError

_TIME = re.compile(rfc3339.PATTERN)


def check_account_id(account: str) -> None:
    """Refuses an account id that the platform would reject.

    Raises:
        OpsError: the text is not an account id.
    """
    if not is_account_id(account):
        raise OpsError(f"{account!r} is not an account id: use 1 to 128 of A-Z a-z 0-9 _ . : -")


def parse_time(option: str, text: str) -> int:
    """Returns the Unix seconds of an option's RFC 3339 text.

    Raises:
        OpsError: the text is not RFC 3339.
    """
    if not _TIME.fullmatch(text):
        raise OpsError(f"{option} {text!r} is not RFC 3339: write a time as 2025-01-15T00:00:00Z")
    try:
        return rfc3339.to_unix(text)
    except ValueError as error:
        raise OpsError(f"{option} {text!r}: {error}") from error
