"""The double as a process: what it remembers when it is killed, and how it stops."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stripe

from .arrange import DAY, customer, event, meter
from .served import client_of, control


@contextmanager
def process(state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m local.stripe` on a free port: the process and its URL; killed at the end."""
    command = [sys.executable, "-m", "local.stripe", "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            yield running, running.stdout.readline().strip().removeprefix("stripe double on ")
        finally:
            running.kill()


def test_a_killed_double_remembers_everything(tmp_path: Path) -> None:
    """Kill -9, and again: customers, meters, identifiers, the clock and the account are as they were."""
    with process(tmp_path / "state.db") as (running, url):
        control(url, "clock", {"advance": -DAY})
        client = client_of(url)
        account = client.v1.accounts.retrieve_current().id
        meter(client)
        cus = customer(client)
        client.v2.billing.meter_events.create(event(cus, "one", 4))
        os.kill(running.pid, signal.SIGKILL)

    with process(tmp_path / "state.db") as (_, url):
        client = client_of(url)
        assert client.v1.accounts.retrieve_current().id == account
        assert control(url, "clock")["offset"] == -DAY
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v2.billing.meter_events.create(event(cus, "one", 4))
        assert caught.value.code == "duplicate_meter_event"
        assert control(url, "usage") == {"totals": {cus: {"sms.send": 4}}, "events": 1}

        control(url, "clock", {"advance": DAY + 60})
        client.v2.billing.meter_events.create(event(cus, "one", 4))
        assert control(url, "usage")["events"] == 2


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit status 0, and the write-ahead log is merged into the one file."""
    state = tmp_path / "state.db"
    with process(state) as (running, _):
        running.terminate()

        assert running.wait(timeout=20) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
