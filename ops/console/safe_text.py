"""Makes text from outside safe for a terminal: characters that do not print are escaped."""


def visible(content: str | bytes, most: int | None = None) -> str:
    """Returns the content on one line: control characters, line ends and bytes that are not UTF-8 are escaped.

    Args:
        content: the text or bytes.
        most: the most characters to return; a longer text is cut and ends with an ellipsis. None: no limit.
    """
    text = content.decode("utf-8", "backslashreplace") if isinstance(content, bytes) else content
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if most is None or len(shown) <= most else shown[: most - 1] + "\u2026"
