"""Ids of events: made up, or those that actions have already."""

import uuid

from ._event import check_text


def random_id() -> str:
    """Returns an id for an action that has none."""
    return str(uuid.uuid4())


def action_id(text: str) -> str:
    """Returns the id that an action already has, such as a call's or a message's.

    Raises:
        InvalidEventError: it has none. A made-up one would bill the action again whenever it is reported again.
    """
    if text.__class__ is not str or not text:  # `emit` checks the rest, once
        check_text("id", text)
    return text


def joined_id(*parts: str) -> str:
    """Joins several parts to an id. Two different lists of parts never result in the same id.

    Raises:
        InvalidEventError: a part is no text, or empty; or all together are too long.
    """
    for part in parts:
        check_text("a part of the id", part)
    joined = ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)
    check_text("id", joined)
    return joined
