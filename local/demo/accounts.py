"""The demo's accounts, and the file that remembers their keys and customers."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from local.stack.private_file import replace_private
from metering.account import Account
from metering.api_key import ApiKeyRecord, key_hash, make_api_key

DOCS_ACCOUNT = "acct_docs"
_MID_MONTH = 1_736_899_200  # 2025-01-15T00:00:00Z

# Account → its billing anchor. Live traffic goes to all but the first.
ANCHORS: Mapping[str, int | None] = {
    DOCS_ACCOUNT: None,
    "acct_aurora": None,
    "acct_birch": _MID_MONTH,
    "acct_cedar": None,
    "acct_dune": None,
}
LIVE_ACCOUNTS = tuple(account for account in ANCHORS if account != DOCS_ACCOUNT)


@dataclass(frozen=True, slots=True)
class DemoAccounts:
    """The demo accounts that the stack's directory remembers.

    Attributes:
        keys: API keys by account, in the clear: they open only demo accounts.
        customers: Stripe customers by account.
        recorded_in: the id of the topic that the accounts and keys were written to. They are written once: a person's
            later changes stay.
    """

    keys: Mapping[str, str]
    customers: Mapping[str, str] = field(default_factory=dict)
    recorded_in: str = ""

    def account_records(self) -> dict[str, bytes | None]:
        """Returns the records of the accounts log."""
        return {
            account: Account(customer=self.customers.get(account), anchor=anchor).to_json()
            for account, anchor in ANCHORS.items()
        }

    def key_records(self, created: int) -> dict[str, bytes | None]:
        """Returns the records of the keys log; `created` is in Unix seconds."""
        return {
            key_hash(key): ApiKeyRecord(account=account, label="demo", created=created).to_json()
            for account, key in self.keys.items()
        }


def load_demo_accounts(file: Path, choose: Callable[[str], str] = secrets.choice) -> DemoAccounts:
    """Reads the accounts from the file; before the first start, makes new keys."""
    try:
        return DemoAccounts(**json.loads(file.read_text()))
    except FileNotFoundError:
        return DemoAccounts({account: make_api_key(choose) for account in ANCHORS})


def save_demo_accounts(file: Path, accounts: DemoAccounts) -> None:
    """Writes the accounts to the file."""
    replace_private(file, json.dumps(asdict(accounts), indent=2) + "\n")
