"""`billing accounts import-stripe`: from Stripe's subscriptions to the accounts log, and folded."""

import json
from typing import Any

import stripe

from metering.rfc3339 import from_unix
from tests.ops.installation import System
from tests.stripe_double.served import client_of


def subscribed(client: stripe.StripeClient, account: str | None, meter: str | None) -> stripe.Subscription:
    """A new customer's subscription, to a price of the meter if there is one."""
    customer = client.v1.customers.create({"metadata": {"tenant": account} if account else {}})
    product = client.v1.products.create({"name": "Telephony"})
    metered: Any = {"usage_type": "metered", "meter": meter} if meter else {}
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "product": product.id,
            "unit_amount": 1,
            "recurring": {"interval": "month", **metered},
        }
    )
    return client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price.id}]})


def test_subscriptions_become_accounts(system: System) -> None:
    """A dry run, the import, a second import without changes; subscriptions without an account are held back."""
    client = client_of(system.env["BILLING_STRIPE_API_BASE"])
    meters = {meter.event_name: meter.id for meter in client.v1.billing.meters.list().data}
    mine = subscribed(client, "imported", meters["voice.ai"])
    other = subscribed(client, "flat", None)
    nobody = subscribed(client, None, meters["sms.send"])
    command = ("accounts", "import-stripe", "--account-key", "tenant")

    shown = system.billing(*command, "--dry-run", "--json")
    answer = json.loads(shown.stdout)
    assert shown.exit_code == 1
    assert [(each["account"], each["before"]) for each in answer["changes"]] == [("imported", None)]
    assert [each["what"] for each in answer["held_back"]] == [f"{nobody.id} of {nobody.customer}"]
    assert "account imported is not known" in system.billing("accounts", "show", "imported").stderr
    assert "Nobody can answer here: add --yes" in system.billing(*command).stderr

    done = system.billing(*command, "--yes")
    assert "1 to change, 0 as Stripe says, 1 held back" in done.stdout
    assert "wrote 1 accounts" in done.stderr
    known = system.billing("accounts", "show", "imported").stdout
    assert mine.customer in known
    assert from_unix(mine.billing_cycle_anchor) in known
    assert "is off the hour" in done.stderr

    again = json.loads(system.billing(*command, "--all", "--dry-run", "--json").stdout)
    assert (again["same"], [each["account"] for each in again["changes"]]) == (1, ["flat"])
    assert again["changes"][0]["after"]["customer"] == other.customer
