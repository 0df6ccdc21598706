"""The text that a person sees once everything runs."""

from api.dashboard.routes import PAGE
from local.demo.accounts import DOCS_ACCOUNT
from local.stack.banner import banner

API = "http://127.0.0.1:8080"
ENV = {"BILLING_API_URL": API, "BILLING_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9092"}
KEYS = {DOCS_ACCOUNT: "tk_live_x"}


def command(*words: str) -> str:
    """A command line."""
    return " ".join(["billing", *words])


def test_a_demo_leads_to_the_dashboard() -> None:
    """The page's address, its key, Kafka's address; the line that asks the API, and one that changes the answer."""
    lines = banner(ENV, KEYS, command)
    assert f"  Dashboard  {API}{PAGE}" in lines
    assert "  Kafka      127.0.0.1:9092" in lines
    assert any("tk_live_x" in line and DOCS_ACCOUNT in line for line in lines)
    assert f'  curl -H "Authorization: Bearer tk_live_x" {API}/api/billing/usage' in lines
    assert f"  billing emit --account {DOCS_ACCOUNT} --meter sms.send" in lines


def test_other_ports_than_the_well_known_are_said() -> None:
    """Another process has the documented port; servers that the environment named get no note."""
    other = banner({"BILLING_API_URL": "http://127.0.0.1:1", "BILLING_KAFKA_BOOTSTRAP_SERVERS": "far:1"}, KEYS, command)
    assert "  API        http://127.0.0.1:1  (not 8080, which was taken or kept for another)" in other
    assert "  Kafka      far:1" in other


def test_the_key_stands_in_no_address() -> None:
    """It would end in the browser's history and in logs."""
    addresses = [word for line in banner(ENV, KEYS, command) for word in line.split() if "://" in word]
    assert addresses
    assert not any("tk_live_x" in address for address in addresses)


def test_without_a_demo_there_is_the_page_but_no_key() -> None:
    """And the commands that make one."""
    lines = banner(ENV, {}, command)
    assert f"  Dashboard  {API}{PAGE}" in lines
    assert "  billing accounts set ACCOUNT" in lines
    assert "  billing keys create ACCOUNT" in lines
