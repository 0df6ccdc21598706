"""The text that a person sees once everything runs: addresses, a key, and first commands."""

from collections.abc import Callable, Mapping

from local.demo.accounts import DOCS_ACCOUNT
from local.servers.ports import LOOPBACK
from local.stack.port_choice import WELL_KNOWN

DASHBOARD = "/dashboard/billing"


def banner(env: Mapping[str, str], keys: Mapping[str, str], command: Callable[..., str]) -> list[str]:
    """Returns the lines of the text.

    Args:
        env: the BILLING_* variables for clients.
        keys: the demo accounts' keys, by account; empty without a demo.
        command: makes a `billing` command line from its words.
    """
    api, kafka = env["BILLING_API_URL"], env["BILLING_KAFKA_BOOTSTRAP_SERVERS"]
    lines = [f"  API        {api}{_instead(api, 'api')}", f"  Dashboard  {api}{DASHBOARD}"]
    lines.append(f"  Kafka      {kafka}{_instead(kafka, 'kafka')}")
    if not keys:
        made = [command("accounts", "set", "ACCOUNT"), command("keys", "create", "ACCOUNT")]
        return [*lines, "", "These make an account and a key:", "", *(f"  {line}" for line in made), ""]
    key = keys[DOCS_ACCOUNT]
    lines.append(f"  Key        {key}  ({DOCS_ACCOUNT}): for the API, and to sign in to the dashboard")
    emit = command("emit", "--account", DOCS_ACCOUNT, "--meter", "sms.send")
    curl = f'curl -H "Authorization: Bearer {key}" {api}/api/billing/usage'
    return [*lines, "", "This shows usage, and the second line adds to it:", "", f"  {curl}", f"  {emit}", ""]


def _instead(address: str, server: str) -> str:
    """Returns a note if a server of this stack does not have its well-known port, else an empty text."""
    known = WELL_KNOWN[server]
    ours = address.removeprefix("http://").startswith(f"{LOOPBACK}:")
    return "" if not ours or address.endswith(f":{known}") else f"  (not {known}, which was taken or kept for another)"
