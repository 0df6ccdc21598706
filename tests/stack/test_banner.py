"""What a person is told once everything runs."""

from api.dashboard.routes import PAGE
from local.demo.accounts import DOCS_ACCOUNT
from local.stack.run import banner

API = "http://127.0.0.1:8080"


def test_a_demo_leads_to_the_dashboard() -> None:
    """The page's address, the key that opens it, and the line that asks the API."""
    lines = banner(API, {DOCS_ACCOUNT: "tk_live_x"}, [])
    assert f"  Dashboard  {API}{PAGE}" in lines
    assert any("tk_live_x" in line and DOCS_ACCOUNT in line for line in lines)
    assert f'  curl -H "Authorization: Bearer tk_live_x" {API}/api/billing/usage' in lines


def test_the_key_stands_in_no_address() -> None:
    """It would end in the browser's history and in logs."""
    addresses = [
        word for line in banner(API, {DOCS_ACCOUNT: "tk_live_x"}, []) for word in line.split() if "://" in word
    ]
    assert addresses
    assert not any("tk_live_x" in address for address in addresses)


def test_without_a_demo_there_is_the_page_but_no_key() -> None:
    """And the commands that make one."""
    lines = banner(API, {}, ["billing keys create ACCOUNT"])
    assert f"  Dashboard  {API}{PAGE}" in lines
    assert "  billing keys create ACCOUNT" in lines
