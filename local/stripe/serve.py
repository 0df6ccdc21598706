"""Serve the double until SIGTERM."""

import signal
import socket
from pathlib import Path
from typing import Any

import uvicorn

from local.stripe.app import create_app
from local.stripe.clock import Clock
from local.stripe.control import CLOCK_OFFSET
from local.stripe.settings import keep, load
from local.stripe.store import Store
from local.stripe.wire import SeverableProtocol

WEBHOOK_URL = "BILLING_STRIPE_DOUBLE_WEBHOOK_URL"
WEBHOOK_SECRET = "BILLING_STRIPE_WEBHOOK_SECRET"  # noqa: S105 - a variable's name

_SHUTDOWN_SECONDS = 5


class _Announcing(uvicorn.Server):
    """Says where it listens once it does, so that a caller may wait for the line."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port, *_ = self.servers[0].sockets[0].getsockname()
            print(f"stripe double on http://{host}:{port}", flush=True)  # noqa: T201 - the one line on stdout


def _leave(*_: object) -> None:
    raise SystemExit(0)


def serve(
    host: str, port: int, state: Path | None, *, latency: float = 0.0, settings: dict[str, Any] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what is in progress.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 for any free one.
        state: the SQLite file that keeps the state; in memory when None.
        latency: seconds that each of Stripe's endpoints takes to answer.
        settings: what to change of the kept settings, by name.
    """
    if state is not None:
        state.parent.mkdir(parents=True, exist_ok=True)
    store = Store(state)
    keep(store, load(store).changed(settings or {}))
    clock = Clock(offset=float(store.fact(CLOCK_OFFSET) or 0.0))
    config = uvicorn.Config(
        create_app(store, clock, latency=latency),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        http=SeverableProtocol,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    # uvicorn raises the signal anew once it has stopped gracefully.
    signal.signal(signal.SIGTERM, _leave)
    try:
        _Announcing(config).run()
    finally:
        store.close()
