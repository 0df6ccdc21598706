"""`--watch`: again and again until Ctrl-C, whatever happens meanwhile."""

import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from ops.status.system import System
from ops.status.text import Screen


def watch(look: Callable[[], System], every: float, show: Callable[[System], None], screen: Screen | None) -> None:
    """Shows what is seen until somebody presses Ctrl-C, in place on a terminal (`screen`), else one after another.

    A look that fails is shown as what can't be read, and the next one follows after `every` seconds.

    Raises:
        OpsError: the first look can't be taken as it was asked for.
    """
    try:
        first = look()
        if screen is None:
            _again(first, look, every, show)
            return
        with Live(screen.drawn(first), screen=True, console=Console(file=sys.stdout)) as live:
            _again(first, look, every, lambda seen: live.update(screen.drawn(seen), refresh=True))
    except KeyboardInterrupt:
        return


def _again(first: System, look: Callable[[], System], every: float, show: Callable[[System], None]) -> None:
    seen = first
    while True:
        show(seen)
        time.sleep(every)
        seen = _seen(look)


def _seen(look: Callable[[], System]) -> System:
    try:
        return look()
    except Exception as error:
        why = Finding(Trouble.NOT_SEEN, None, {"what": "the system"}, f"{type(error).__name__}: {error}")
        return System(now_ms=time.time_ns() // 1_000_000, away=[why])
