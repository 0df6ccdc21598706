"""Who may do what, as docs/security.md has it."""

import re
from collections import defaultdict
from pathlib import Path

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def rules(kind: str) -> dict[str, list[str]]:
    """The lines of the page's block of this kind, by role."""
    (block,) = re.findall(rf"```{kind}\n(.*?)```", SECURITY.read_text(), re.DOTALL)
    found = defaultdict[str, list[str]](list)
    for line in block.splitlines():
        role, _, rule = line.partition(" ")
        found[role].append(rule.strip())
    return dict(found)
