"""A whole stack without a demo, used like a person would. All tests share it."""

import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import psutil
import pytest

from local.stack.probes import is_there
from local.stack.settings import settings_of
from metering.api_key import key_hash
from ops.logs.settings import TableSettings
from ops.logs.table_log import write_records
from runtime.topics import TopicNames
from tests.stack.booting import RunningStack, running
from tests.support.eventually import eventually
from tests.support.midnight import clear_of_midnight

NAMES = ["redis", "stripe-double", "kafka", "api", "aggregator-1", "stripe-sync-1"]
AFTER_A_FAULT_SECONDS = 90.0
REVOKED_SECONDS = 2.0
MODULE_SECONDS = 120.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """`billing up --no-demo`."""
    clear_of_midnight(MODULE_SECONDS)  # accounts without an anchor have a new period then
    with running(tmp_path_factory.mktemp("running") / "stack", "--no-demo") as stack:
        yield stack


def test_stack_json_tells_clients_everything(stack: RunningStack) -> None:
    """Private; addresses, a namespace of its own, one live process per service."""
    assert stat.S_IMODE((stack.directory / "stack.json").stat().st_mode) == 0o600
    assert {
        "BILLING_API_URL",
        "BILLING_KAFKA_BOOTSTRAP_SERVERS",
        "BILLING_REDIS_URL",
        "BILLING_STRIPE_API_BASE",
        "BILLING_STRIPE_API_KEY",
        "BILLING_NAMESPACE",
        "BILLING_PARTITIONS",
    } <= set(stack.env)
    assert stack.described["api_keys"] == {}
    assert sorted(stack.pids()) == sorted(NAMES)
    assert all(psutil.pid_exists(pid) for pid in stack.pids().values())


def test_without_a_demo_it_says_how_to_make_an_account(stack: RunningStack) -> None:
    """The two commands, with the directory; and nothing was made."""
    assert f"accounts set ACCOUNT --dir {stack.directory}" in stack.output
    assert f"keys create ACCOUNT --dir {stack.directory}" in stack.output
    assert "acct_docs" not in stack.said("accounts", "list")


def test_an_account_a_key_and_an_event(stack: RunningStack) -> None:
    """Made with the command alone, read through the API; an event repeated under its id counts once."""
    stack.said("accounts", "set", "acct_one", "--stripe-customer", "cus_one")
    key = stack.said("keys", "create", "acct_one", "--label", "test")
    assert stack.total(key, "sms.send") == 0
    for _ in range(2):
        stack.said("emit", "--account", "acct_one", "--meter", "sms.send", "--quantity", "7", "--id", "one")
    stack.said("emit", "--account", "acct_one", "--meter", "voice.ai", "--count", "5")
    eventually(lambda: stack.total(key, "voice.ai") == 5)
    assert stack.total(key, "sms.send") == 7


def test_a_revoked_key_opens_nothing(stack: RunningStack) -> None:
    """As soon as the command returns; by the key or by its hash."""
    by_key, by_hash = (stack.said("keys", "create", "acct_keys", "--label", label) for label in ("first", "second"))
    stack.said("keys", "revoke", by_key)
    assert stack.usage(by_key).status == 401
    (line,) = stack.said("keys", "list", "acct_keys").splitlines()[1:]
    assert line.endswith("second")
    stack.said("keys", "revoke", line.split()[0])
    assert stack.usage(by_hash).status == 401
    assert stack.billing("keys", "revoke", by_key).returncode == 0  # a key that is not known can be revoked as well


def test_a_tombstone_takes_effect_within_two_seconds(stack: RunningStack) -> None:
    """From the moment at which it is in the log to the first refusal, through the aggregator that folds it.

    At the first, the second or the third attempt: a machine that does other things may stand still for a while.
    """
    assert any(_refused_after(stack) < REVOKED_SECONDS for _ in range(3))


def _refused_after(stack: RunningStack) -> float:
    """How many seconds after its tombstone was written a new key opens nothing."""
    key = stack.said("keys", "create", "acct_tombstone")
    settings = settings_of(TableSettings, stack.env)
    assert stack.usage(key).status == 200
    write_records(settings, TopicNames(settings.topic_prefix).api_keys, {key_hash(key): None})
    written = time.monotonic()
    eventually(lambda: stack.usage(key).status == 401, what="the refusal")
    return time.monotonic() - written


def test_accounts_are_merged_shown_and_refused(stack: RunningStack) -> None:
    """What an option does not name stays; a customer that another account has is refused, over all shards."""
    stack.said("accounts", "set", "acct_merge", "--stripe-customer", "cus_merge")
    stack.said("accounts", "set", "acct_merge", "--subscription-start", "2025-01-01T00:00:00Z")
    warned = stack.billing("accounts", "set", "acct_merge", "--anchor", "2025-01-15T10:20:00Z")
    assert warned.stderr.startswith("warning: the anchor 2025-01-15T10:20:00Z is off the hour")
    shown = stack.said("accounts", "show", "acct_merge")
    assert all(text in shown for text in ("cus_merge", "2025-01-01T00:00:00Z", "2025-01-15T10:20:00Z"))
    refused = stack.billing("accounts", "set", "acct_other", "--stripe-customer", "cus_merge")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "acct_merge" in refused.stderr


def test_the_topics_and_meters_are_as_they_must_be(stack: RunningStack) -> None:
    """The commands that make them find nothing to do."""
    assert "created" not in stack.said("topics")
    assert "created" not in stack.said("stripe", "setup")


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_service_is_restarted_on_its_port(stack: RunningStack, name: str) -> None:
    """Shown, with its new process id in stack.json; everything works again, and the addresses are the same."""
    before, env = stack.pids()[name], stack.env
    key = stack.said("keys", "create", f"acct_{name}")

    os.kill(before, signal.SIGKILL)

    eventually(lambda: stack.pids()[name] != before, AFTER_A_FAULT_SECONDS)
    assert f"{name} was killed by SIGKILL; starting it again in 0.2 s" in stack.output
    again = f"{name} runs again, as process {stack.pids()[name]}"
    eventually(lambda: again in stack.output, AFTER_A_FAULT_SECONDS, again)  # said after it stands in stack.json
    eventually(lambda: is_there(f"{env['BILLING_API_URL']}/readyz"), AFTER_A_FAULT_SECONDS, "the API")
    stack.said("emit", "--account", f"acct_{name}", "--meter", "sms.send")
    eventually(lambda: stack.total(key, "sms.send") == 1, AFTER_A_FAULT_SECONDS, "the event's count")
    assert stack.env == env


def test_a_worker_has_a_health_page(stack: RunningStack) -> None:
    """Without it, nobody would notice that the worker hangs."""
    kept = json.loads((stack.directory / "kept.json").read_text())
    for name in ("aggregator-1", "stripe-sync-1"):
        page = f"http://127.0.0.1:{kept['ports'][name]}/healthz"
        eventually(lambda page=page: is_there(page), AFTER_A_FAULT_SECONDS, page)


def test_one_stack_per_directory(stack: RunningStack) -> None:
    """A second one names the running process, and disturbs nothing."""
    second = stack.billing("up", "--no-demo")
    assert second.returncode == 1
    assert f"runs in {stack.directory} already (process {stack.supervisor.pid})" in second.stderr
    assert is_there(f"{stack.env['BILLING_API_URL']}/readyz")


def test_a_taken_port_is_named(stack: RunningStack) -> None:
    """By another stack that was told to use it."""
    port = urlsplit(stack.env["BILLING_API_URL"]).port
    other = RunningStack(stack.directory.parent / "other", "--no-demo", BILLING_HTTP_PORT=str(port))
    assert other.supervisor.wait(timeout=60) == 1
    assert f"port {port}" in other.output
    assert "BILLING_HTTP_PORT" in other.output


def test_servers_that_the_environment_names_are_used(stack: RunningStack) -> None:
    """A second stack on the first one's Kafka, Redis and Stripe starts services only, and makes its customers there."""
    named = {
        name: stack.env[name]
        for name in ("BILLING_KAFKA_BOOTSTRAP_SERVERS", "BILLING_REDIS_URL", "BILLING_STRIPE_API_BASE")
    }
    prefixes = {"BILLING_TOPIC_PREFIX": "guest-", "BILLING_REDIS_PREFIX": "guest:"}
    with running(stack.directory.parent / "guest", **named, **prefixes) as guest:
        assert sorted(guest.pids()) == ["aggregator-1", "api", "demo", "stripe-sync-1"]
        assert {name: guest.env[name] for name in named} == named
        assert "acct_docs has the documented usage" in guest.output
        assert "cus_" in guest.said("accounts", "show", "acct_docs")
        assert "acct_docs" not in stack.said("accounts", "list")
