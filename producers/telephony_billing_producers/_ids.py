"""Ids of events: made up, or those that actions have already."""

import uuid

from ._event import check_text


def random_id() -> str:
    """An id for an action that has none."""
    return str(uuid.uuid4())


def action_id(text: str) -> str:
    """The id that an action already has, such as a call's or a message's.

    Raises:
        InvalidEventError: it has none. A made-up one would bill the action again whenever it is reported again.
    """
    if text.__class__ is not str or not text:  # `emit` checks the rest, once
        check_text("id", text)
    return text


def joined_id(*parts: str) -> str:
    """The id of an action that is named by several things: two different lists of parts never give the same id.

    Raises:
        InvalidEventError: a part is no text, or empty; or all together are too long.
    """
    for part in parts:
        check_text("a part of the id", part)
    joined = ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)
    check_text("id", joined)
    return joined
