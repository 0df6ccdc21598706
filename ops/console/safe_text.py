"""Text that others wrote, made safe for a terminal: what does not print is escaped."""


def visible(content: str | bytes, most: int | None = None) -> str:
    """The content on one line: control characters, line ends and bytes that are not UTF-8 as escapes.

    Args:
        content: what was written.
        most: at most so many characters, the last of them an ellipsis if there were more.
    """
    text = content.decode("utf-8", "backslashreplace") if isinstance(content, bytes) else content
    shown = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return shown if most is None or len(shown) <= most else shown[: most - 1] + "\u2026"
