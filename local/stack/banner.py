"""What a person is told once everything runs: where it is, and what to type first."""

from collections.abc import Callable, Mapping

from local.demo.accounts import DOCS_ACCOUNT
from local.servers.ports import LOOPBACK
from local.stack.port_choice import WELL_KNOWN

DASHBOARD = "/dashboard/billing"


def banner(env: Mapping[str, str], keys: Mapping[str, str], command: Callable[..., str]) -> list[str]:
    """How to use what runs now.

    Args:
        env: what clients are told.
        keys: the demo accounts'; none without a demo.
        command: writes a `billing` command from its words.
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
    """What to say of a server of this stack's that could not have its well-known port."""
    known = WELL_KNOWN[server]
    ours = address.removeprefix("http://").startswith(f"{LOOPBACK}:")
    return "" if not ours or address.endswith(f":{known}") else f"  (not {known}, which was taken or kept for another)"
