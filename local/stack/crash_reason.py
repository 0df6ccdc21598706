"""Finds the reason why a process ended in the last lines of its log."""

import re
from collections.abc import Sequence

_LOG_LINE = re.compile(r"^\S+ \S+ (?P<level>[A-Z]+) +\S+: ")  # runtime/logs.py
_LAST_WORD = re.compile(r"^[a-z_]+: \S")  # a service's message at its exit: "aggregator: the topics are not ..."
_EXCEPTION = re.compile(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt|Exit)\b")
_GRAVE = {"CRITICAL", "ERROR"}
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def crash_reason(lines: Sequence[str]) -> str:
    """Returns the reason on one line; empty if nothing was written.

    The first of these that exists: the process's message at its exit, with the indented lines below it; the exception
    of the last traceback; the last line that was logged as an error; the last line.
    """
    texts = [text for line in lines if (text := _CONTROL.sub("", line).rstrip())]
    for belongs in (_said, _raised, _logged):
        for at in range(len(texts) - 1, -1, -1):
            if belongs(texts, at):
                return _with_details(texts, at)
    return texts[-1] if texts else ""


def _said(texts: Sequence[str], at: int) -> bool:
    return _LAST_WORD.match(texts[at]) is not None


def _raised(texts: Sequence[str], at: int) -> bool:
    """Returns whether the line is an exception's name at the margin, below a traceback's indented lines."""
    return at > 0 and texts[at - 1].startswith("  ") and _EXCEPTION.match(texts[at]) is not None


def _logged(texts: Sequence[str], at: int) -> bool:
    found = _LOG_LINE.match(texts[at])
    return found is not None and found["level"] in _GRAVE


def _with_details(texts: Sequence[str], at: int) -> str:
    """Returns a line and the indented lines below it, joined."""
    end = at + 1
    while end < len(texts) and texts[end].startswith("  "):
        end += 1
    return " ".join(text.strip() for text in texts[at:end])
