"""The choice of the servers' ports."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.servers.ports import PortTakenError, free_port, free_ports
from local.stack import port_choice
from local.stack.errors import StackError
from local.stack.held_ports import HeldPorts
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


def test_each_worker_gets_one_for_its_health_page() -> None:
    """Beside the servers', and the same at the next start."""
    ports = choose_ports({}, {}, ["aggregator-1", "stripe-sync-1"])
    assert len(set(ports.values())) == len(VARIABLES) + 2
    assert choose_ports({}, ports, ["aggregator-1", "stripe-sync-1"]) == ports


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


def test_well_known_ports_are_taken_where_they_are_free(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients try them first; but not one that is in use, nor one that another stack has just chosen."""
    first, second = free_ports(2)
    monkeypatch.setattr(port_choice, "WELL_KNOWN", {"kafka": first, "api": second, "redis": taken})
    ports = choose_ports({}, {}, take=lambda port: port != second)
    assert ports["kafka"] == first
    assert ports["api"] != second
    assert ports["redis"] != taken


def test_a_port_is_held_by_one_stack(tmp_path: Path) -> None:
    """Two that start at the same moment do not both have it; another one is free."""
    assert HeldPorts(tmp_path).take(9092)
    first = HeldPorts(tmp_path)
    assert first.take(9092)
    second = HeldPorts(tmp_path)
    assert not second.take(9092)
    assert second.take(9093)
