"""Which services ended by themselves, as `billing up` tells it."""

import re
from pathlib import Path

_ENDED = re.compile(r"\S+ (?:ended with|was killed by) .*; starting it again")


def endings(log: Path) -> list[str]:
    """The ends that a stack's log tells of. While nobody strikes, each is one too many: no record may end a process."""
    return [found.group() for line in log.read_text().splitlines() if (found := _ENDED.search(line))]
