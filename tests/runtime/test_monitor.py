"""What a worker shows of itself, and that nobody can keep others from seeing it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from prometheus_client import CollectorRegistry, Counter

from local.servers.ports import free_port
from runtime.http_server import ListenError
from runtime.monitor import BOUNDS, STALE_SECONDS, Monitor, Pulse, start_monitor
from tests.support.http_serving import Client

NOW = [0.0]


@pytest.fixture
def pulse() -> Pulse:
    """That of a worker that is well."""
    NOW[0] = 0.0
    return Pulse(lambda: NOW[0])


@pytest.fixture
def monitor(pulse: Pulse) -> Iterator[Monitor]:
    """Of a worker with one metric."""
    registry = CollectorRegistry()
    Counter("seen", "Things seen", registry=registry).inc(3)
    monitor = start_monitor("127.0.0.1", free_port(), registry, pulse)
    yield monitor
    monitor.stop()


def ask(monitor: Monitor, path: str, method: str = "GET") -> requests.Response:
    """A question as a supervisor asks it."""
    return requests.request(method, f"http://127.0.0.1:{monitor.port}{path}", timeout=10)


def test_a_worker_is_well_while_its_pulse_beats(monitor: Monitor, pulse: Pulse) -> None:
    """And says for how long nothing went well."""
    assert (ask(monitor, "/healthz").status_code, ask(monitor, "/healthz").text) == (200, "ok\n")
    NOW[0] = STALE_SECONDS + 3
    stale = ask(monitor, "/healthz")
    assert (stale.status_code, stale.text) == (503, "nothing went well for 63 s\n")
    pulse.beat()
    assert ask(monitor, "/healthz").ok


def test_metrics(monitor: Monitor) -> None:
    """In Prometheus' text format; HEAD like everywhere; nothing else is there."""
    assert "seen_total 3.0" in ask(monitor, "/metrics").text
    for path in ("/metrics", "/healthz"):
        head = ask(monitor, path, "HEAD")
        assert (head.status_code, head.content) == (200, b"")
    assert ask(monitor, "/").status_code == 404


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "], ids=["silent", "half-sent"])
def test_connections_that_say_too_little_keep_nobody_out(monitor: Monitor, sent: bytes) -> None:
    """One, and more than there are places for."""
    with ExitStack() as stack:
        for number in range(BOUNDS.connections + 10):
            client = stack.enter_context(Client(f"http://127.0.0.1:{monitor.port}"))
            client.send(sent)
            if number % 10 == 0:
                assert ask(monitor, "/healthz").ok
        assert ask(monitor, "/metrics").ok


def test_an_address_that_is_taken(monitor: Monitor, pulse: Pulse) -> None:
    """Is told to whoever starts the worker."""
    with pytest.raises(ListenError, match=f"{monitor.port}.*in use"):
        start_monitor("127.0.0.1", monitor.port, CollectorRegistry(), pulse)
