"""Ports for the embedded servers."""

import os
import random
import socket

import pytest

from local.servers.ports import FIRST_PORT, LAST_PORT, PortTakenError, free_port, free_ports, require_free


def test_free_ports_are_different_and_below_the_ephemeral_range() -> None:
    """No two are the same, and none can be taken by an outgoing connection."""
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(FIRST_PORT <= port <= LAST_PORT < 32_768 for port in ports)


def test_a_port_in_use_is_not_chosen() -> None:
    """The same choice, made again, skips ports that were taken meanwhile."""
    seed = os.getpid()
    port = free_port(random.Random(seed))  # noqa: S311 - a choice to repeat
    with socket.create_server(("127.0.0.1", port)):
        assert free_port(random.Random(seed)) != port  # noqa: S311


def test_a_taken_port_is_named() -> None:
    """The error names the port and its purpose."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortTakenError, match=f"port {port} .* Redis"):
        require_free(port, "Redis")


def test_a_port_with_old_connections_is_free() -> None:
    """A connection in TIME_WAIT does not keep a server from starting again on its port."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as server:
        client = socket.create_connection(("127.0.0.1", port))
        accepted, _ = server.accept()
        accepted.close()  # the side that closes first waits
        client.close()
    require_free(port, "the same server")
