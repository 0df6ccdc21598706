"""How every process of ours serves HTTP: uvicorn, with bounds on what a client may cost."""

import os
import resource
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from runtime.http_door import Door
from runtime.http_protocol import STATUSES, Body, ConnectionEnd, Manners, protocol_of

BACKLOG = 128  # connections that wait to be accepted; all of them may be accepted before one is refused
OTHER_FILES = 256  # of a process: connections to Redis, to Stripe, logs, libraries


class TooFewFilesError(Exception):
    """The system does not let this process open as many files as its connections need."""


class ListenError(Exception):
    """Nobody can be served at this address."""


@dataclass(frozen=True, slots=True)
class HttpBounds:
    """What clients may cost.

    Args:
        connections: at once, of all clients together.
        connections_of_one: at once, of one address; of IPv6, of one network.
        head_bytes: a request's first line and fields.
        client_seconds: for a client to send a request, and as many to take the answer.
        idle_seconds: how long a connection is kept between two requests.
    """

    connections: int
    connections_of_one: int
    head_bytes: int
    client_seconds: float
    idle_seconds: float


def server_config(
    app: ASGIApp,
    bounds: HttpBounds,
    *,
    explain: Callable[[ConnectionEnd], Body] | None = None,
    ended: Callable[[ConnectionEnd], None] = lambda _: None,
    unbounded: Callable[[str], bool] = lambda _: False,
    **more: Any,
) -> uvicorn.Config:
    """The configuration of uvicorn for an application that is served within bounds.

    Args:
        app: what is served.
        bounds: what its clients may cost.
        explain: the body of a refusal; default: its status in words.
        ended: told of every connection that was ended for what its client did or did not do.
        unbounded: whether an address may have more connections than one may: a proxy.
        more: uvicorn's own options.
    """
    door = Door(bounds.connections, bounds.connections_of_one, unbounded=unbounded)
    manners = Manners(bounds.head_bytes, bounds.client_seconds, explain or _in_words, ended)
    fixed: dict[str, Any] = {
        "http": protocol_of(door, manners),
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "backlog": BACKLOG,
        "timeout_keep_alive": bounds.idle_seconds,
    }
    return uvicorn.Config(app, **fixed | more)


def require_files(connections: int) -> None:
    """Lets this process open as many files as so many connections need.

    Raises:
        TooFewFilesError: the system's hard limit is lower.
    """
    needed = connections + BACKLOG + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (ValueError, OSError) as error:
        raise TooFewFilesError(
            f"{connections} connections need {needed} open files, and this process may have {hard}: "
            "raise its limit (ulimit -n), or lower BILLING_HTTP_CONNECTIONS"
        ) from error


def listen(host: str, port: int, named: str = "BILLING_HTTP_HOST and BILLING_HTTP_PORT") -> socket.socket:
    """A listening socket; `named` is where the address was told.

    Raises:
        ListenError: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        number = error.errno or 0
        why = os.strerror(number) if number > 0 else error.strerror  # below 0: a name that nobody knows
        raise ListenError(f"can't listen at {host}:{port}: {why}: check {named}") from error
    # Connections inherit it. asyncio sets it only where it has made the listening socket itself.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _in_words(ended: ConnectionEnd) -> Body:
    return Body("text/plain; charset=utf-8", f"{STATUSES[ended].phrase}\n".encode())
