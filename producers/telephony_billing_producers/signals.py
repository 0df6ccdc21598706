"""Ends the process cleanly on SIGTERM, which a container's runtime sends before it kills."""

import signal
import sys
from types import FrameType


def exit_on_sigterm() -> None:
    """From now on SIGTERM ends the process as `sys.exit` does, so that `with` blocks and emitters are closed.

    Without a handler, SIGTERM ends a Python process at once, and events in flight are lost. Call this function in the
    main thread of your own program. A server such as uvicorn or gunicorn has its own handler: close the emitter in its
    shutdown hook, such as FastAPI's lifespan.

    The process ends with status 143, the shells' status for SIGTERM.

    Raises:
        RuntimeError: SIGTERM has a handler already; it is left as it is.
        ValueError: this is not the main thread.
    """
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        raise RuntimeError(
            "SIGTERM has a handler already, of a server's perhaps: close the emitter when that ends, and leave "
            "exit_on_sigterm() out"
        )
    signal.signal(signal.SIGTERM, _exit)


def _exit(signum: int, _frame: FrameType | None) -> None:
    # Nothing is closed here: the main thread may hold a lock that closing needs. It unwinds first.
    sys.exit(128 + signum)
