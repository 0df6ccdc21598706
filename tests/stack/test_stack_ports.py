"""Which ports the servers get."""

import socket
from collections.abc import Iterator

import pytest

from local.servers.ports import PortTakenError, free_port, free_ports
from local.stack.errors import StackError
from local.stack.port_choice import VARIABLES, choose_ports


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that something listens on."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_each_server_gets_its_own() -> None:
    """All are different, and there is one for each server."""
    ports = choose_ports({}, {})
    assert set(ports) == set(VARIABLES)
    assert len(set(ports.values())) == len(VARIABLES)


def test_kept_ports_are_kept_if_free(taken: int) -> None:
    """A port of the last start is used again, one that is taken by now is replaced."""
    kept = free_port()
    ports = choose_ports({}, {"kafka": kept, "redis": taken})
    assert ports["kafka"] == kept
    assert ports["redis"] not in {taken, kept}


def test_a_set_port_goes_first() -> None:
    """A variable wins over what was kept."""
    first, second = free_ports(2)
    assert choose_ports({"BILLING_HTTP_PORT": str(first)}, {"api": second, "redis": first})["api"] == first


def test_a_set_port_that_is_taken_is_an_error_that_names_it(taken: int) -> None:
    """The port and its variable are in the message."""
    with pytest.raises(PortTakenError, match=rf"{taken}.*BILLING_REDIS_PORT"):
        choose_ports({"BILLING_REDIS_PORT": str(taken)}, {})


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1"])
def test_what_is_no_port_is_refused(text: str) -> None:
    """With the variable's name."""
    with pytest.raises(StackError, match="BILLING_KAFKA_PORT"):
        choose_ports({"BILLING_KAFKA_PORT": text}, {})


def test_two_servers_cannot_share_one() -> None:
    """The same port twice is refused before anything starts."""
    port = str(free_port())
    with pytest.raises(StackError, match=port):
        choose_ports({"BILLING_KAFKA_PORT": port, "BILLING_REDIS_PORT": port}, {})
