"""The double as a process: the state that survives a kill, and its end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import stripe

from local.stripe.events import EventLog, MeteredUsage, totals
from local.stripe.store import StripeStore
from tests.support.eventually import eventually

from .arrange import DAY, NOON, customer, event, meter
from .served import LIVE_KEY, client_of, control


@contextmanager
def process(state: Path, *more: str, env: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m local.stripe` on a free port: the process and its URL; killed at the end."""
    command = [sys.executable, "-m", "local.stripe", "--port", "0", "--state", str(state), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | (env or {})) as running:
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


def test_what_a_killed_stream_had_taken_is_there_and_reported(tmp_path: Path) -> None:
    """Kill -9 right after the {}: events are counted once, settings stay, and the report is made after the restart."""
    with process(tmp_path / "state.db") as (running, url):
        control(url, "clock", {"set": NOON})
        control(url, "settings", {"report_window": 3600, "summary_lag": 60})
        live = client_of(url, LIVE_KEY)
        meter(live)
        cus = customer(live)
        token = live.v2.billing.meter_event_session.create().authentication_token
        batch = {"events": [event(cus, "good", 4), event("cus_x", "bad")]}
        client_of(url, token).v2.billing.meter_event_stream.create(batch)
        os.kill(running.pid, signal.SIGKILL)

    with process(tmp_path / "state.db") as (_, url):
        assert control(url, "settings")["summary_lag"] == 60
        client_of(url, token).v2.billing.meter_event_stream.create(batch)
        assert control(url, "usage") == {"totals": {cus: {"sms.send": 4}}, "events": 1}
        assert control(url, "checks")["resent"]["count"] == 2
        control(url, "clock", {"advance": 3600})
        events = client_of(url, LIVE_KEY).v2.core.events
        (report,) = eventually(lambda: events.list().data)
        assert report.data.reason.error_count == 2


def test_a_file_from_before_the_sums_is_summed_up(tmp_path: Path) -> None:
    """Usage that an earlier version had accepted is in the totals."""
    store = StripeStore(tmp_path / "state.db")
    EventLog(store, livemode=False).append(MeteredUsage("one", "sms.send", "mtr_x", "cus_x", 0, 7), received=0)
    store.connection.execute("DELETE FROM sums")
    store.close()

    reopened = StripeStore(tmp_path / "state.db")
    assert totals(reopened) == [("cus_x", "sms.send", 1, 7)]
    reopened.close()


def test_the_command_line_and_the_environment_set_it_up(tmp_path: Path) -> None:
    """What starts the double can name the receiver of webhooks and any setting."""
    env = {"BILLING_STRIPE_DOUBLE_WEBHOOK_URL": "http://127.0.0.1:9/hook", "BILLING_STRIPE_WEBHOOK_SECRET": "whsec_x"}
    with process(tmp_path / "state.db", "--set", "summary_lag=30", env=env) as (_, url):
        settings = control(url, "settings")
    assert (settings["webhook_url"], settings["webhook_secret"]) == ("http://127.0.0.1:9/hook", "whsec_x")
    assert settings["summary_lag"] == 30


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit status 0, and the write-ahead log is merged into the one file."""
    state = tmp_path / "state.db"
    with process(state) as (running, _):
        running.terminate()

        assert running.wait(timeout=20) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
