"""Serves the double until SIGTERM."""

import signal
import socket
import sqlite3
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError

from local.stripe.app import create_app
from local.stripe.clock import StripeClock
from local.stripe.control import CLOCK_OFFSET
from local.stripe.settings import keep, load
from local.stripe.store import StripeStore
from local.stripe.wire import SeverableProtocol
from runtime.exit_codes import DONE
from runtime.http_server import listen
from runtime.monitor import Pulse
from runtime.watchdog import Watchdog

WEBHOOK_URL = "BILLING_STRIPE_DOUBLE_WEBHOOK_URL"
WEBHOOK_SECRET = "BILLING_STRIPE_WEBHOOK_SECRET"  # noqa: S105 - a variable's name

_SHUTDOWN_SECONDS = 5  # seconds


class DoubleError(Exception):
    """The double can't serve; the message says why and what to do."""


class _Announcing(uvicorn.Server):
    """Prints its address once it listens, so that a caller can wait for the line. Its pulse beats with its loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.pulse = Pulse()

    async def on_tick(self, counter: int) -> bool:
        """Beats the pulse; uvicorn calls this ten times a second."""
        self.pulse.beat()
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port, *_ = self.servers[0].sockets[0].getsockname()
            print(f"stripe double on http://{host}:{port}", flush=True)  # noqa: T201 - the one line on stdout


def _leave(*_: object) -> None:
    raise SystemExit(DONE)


def serve(
    host: str, port: int, state: Path | None, *, latency: float = 0.0, settings: dict[str, Any] | None = None
) -> None:
    """Serves until SIGTERM or SIGINT, then finishes the requests in progress.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 for any free one.
        state: the SQLite file that keeps the state; in memory when None.
        latency: seconds that each of Stripe's endpoints takes to answer.
        settings: changes to the kept settings, by name.

    Raises:
        DoubleError: the state can't be kept in that file, or a setting is wrong.
        ListenError: the address is taken.
    """
    door = listen(host, port, "--host and --port")
    store = _opened(state, settings or {})
    clock = StripeClock(offset=float(store.fact(CLOCK_OFFSET) or 0.0))
    config = uvicorn.Config(
        create_app(store, clock, latency=latency),
        access_log=False,
        log_level="warning",
        http=SeverableProtocol,
        date_header=False,  # Stripe's Date is the double's time
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    # uvicorn raises the signal anew once it has stopped gracefully.
    signal.signal(signal.SIGTERM, _leave)
    try:
        server = _Announcing(config)
        Watchdog(server.pulse).start()
        server.run([door])
    finally:
        store.close()


def _opened(state: Path | None, settings: dict[str, Any]) -> StripeStore:
    try:
        if state is not None:
            state.parent.mkdir(parents=True, exist_ok=True)
        store = StripeStore(state)
        keep(store, load(store).changed(settings))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise DoubleError(f"its settings (--set, or what it keeps in {state or 'memory'}): {faults}") from error
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise DoubleError(f"{state} can't keep its state ({why}): name another file with --state") from error
    return store
