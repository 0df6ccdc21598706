"""Accounts' facts, one account's fault apart from all others'."""

from collections.abc import Sequence

from ledger.pushes import read_accounts
from ledger.shard import Shard
from metering.account import Account
from stripe_sync.troubles import EVERYBODYS, Troubles


async def account_facts(shard: Shard, names: Sequence[str], troubles: Troubles) -> dict[str, Account]:
    """The facts of some accounts; those that can't be read are left out, and in `troubles`.

    Raises:
        NotReadyError: the shard is being folded.
    """
    try:
        facts = await read_accounts(shard, names)
    except EVERYBODYS:
        raise
    except Exception as error:
        if len(names) == 1:
            troubles.note(names[0], error)
            return {}
        found = [await account_facts(shard, [name], troubles) for name in names]
        return {name: account for each in found for name, account in each.items()}
    for name in names:
        troubles.forget(name)
    return facts
