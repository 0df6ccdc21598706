"""Chooses loopback ports for the embedded servers."""

import random
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"
# Linux uses ports 32768-60999 for outgoing connections (net.ipv4.ip_local_port_range): any client could take a server's
# port in this range between two starts.
FIRST_PORT = 10_000
LAST_PORT = 32_767
ATTEMPTS = 200  # ports that are tried


class PortTakenError(RuntimeError):
    """The port that a server must use belongs to another process, or too few of the tried ports are free."""


def free_port(rng: random.Random | None = None) -> int:
    """Returns one port that nothing listens on; see `free_ports`."""
    return free_ports(1, rng)[0]


def free_ports(count: int, rng: random.Random | None = None) -> list[int]:
    """Returns `count` different loopback ports that nothing listens on, below the ephemeral range.

    The choice is random (`rng`; default: the system's), so that two stacks that start at the same time hardly ever
    choose the same port. No port is reserved.

    Raises:
        PortTakenError: there are too few free ports.
    """
    rng = rng or random.SystemRandom()
    ports: list[int] = []
    with ExitStack() as held:
        for port in rng.sample(range(FIRST_PORT, LAST_PORT + 1), ATTEMPTS):
            if len(ports) == count:
                break
            listener = held.enter_context(_socket())
            if _bind(listener, port):
                ports.append(port)
    if len(ports) < count:
        raise PortTakenError(f"found {len(ports)} of {count} free ports in {ATTEMPTS} of {FIRST_PORT}-{LAST_PORT}")
    return ports


def require_free(port: int, purpose: str) -> None:
    """Raises `PortTakenError`, with the port and its purpose, if something listens on it."""
    with _socket() as listener:
        if not _bind(listener, port):
            raise PortTakenError(
                f"port {port} on {LOOPBACK}, meant for {purpose}, is taken by another process: stop it or choose "
                "another port"
            )


def _socket() -> socket.socket:
    """Returns a socket that, like a server's, may bind a port with old connections in TIME_WAIT."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def _bind(listener: socket.socket, port: int) -> bool:
    try:
        listener.bind((LOOPBACK, port))
    except OSError:
        return False
    return True
