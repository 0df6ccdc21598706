"""What can keep usage from being billed."""

from collections.abc import Mapping

from metering.troubles.entry import Severity, TroubleEntry, system_entry
from metering.troubles.names import Trouble

_BILLED = "not-invoiced.md"
_CUSTOMERS = "uncharged-usage.md#usage-that-nobody-is-charged-for"
_LOGS = "look at the logs of the Stripe workers"
_OPEN = "open-transactions.md"
_PARKED = "rows.md"
_RECONCILE = "reconcile.md"
_SERVICES = "failures.md#services-that-are-away"
_SLOW = "failures.md#a-shard-that-lags"
_WORKER = "stripe-worker.md#what-a-stripe-worker-says"

BILLING: Mapping[Trouble, TroubleEntry] = {
    Trouble.PUSH_LOG_NEVER_FOLDED: TroubleEntry(
        Severity.STOPPED,
        "the push log was never folded: nothing is billed",
        f"start Stripe workers, {_LOGS}",
        _SERVICES,
    ),
    Trouble.BILLING_STOPPED: TroubleEntry(
        Severity.STOPPED, "nothing is billed: the Stripe worker can't go on", "as the cause says", _WORKER
    ),
    Trouble.CLOCK_OFF: system_entry(
        Severity.STOPPED, "nothing is billed: a Stripe worker's clock is not Stripe's", "set that clock (NTP)", _WORKER
    ),
    Trouble.PUSH_LOG_HELD: TroubleEntry(
        Severity.STOPPED,
        "nothing is billed: an open transaction holds the push log up",
        "end its producer, or abort it with kafka-transactions.sh",
        _OPEN,
    ),
    Trouble.PUSH_LOG_STALE: TroubleEntry(Severity.WAITING, "the push log was last folded {seconds} ago", _LOGS, _SLOW),
    Trouble.METER_ABSENT: system_entry(
        Severity.WAITING,
        "Stripe has no active meter for some rows, and they wait",
        "billing stripe setup, or reactivate it",
        _WORKER,
    ),
    Trouble.CALLS_FAIL: system_entry(
        Severity.WAITING,
        "calls to Stripe fail: {calls} of the last minute ({kind})",
        "https://status.stripe.com, the network, the rate limit",
        _WORKER,
    ),
    Trouble.DISPUTED: TroubleEntry(
        Severity.WAITING,
        "{units} units wait: several accounts claim their customer",
        "billing accounts set ACCOUNT --stripe-customer cus_... (all but one)",
        _CUSTOMERS,
    ),
    Trouble.ROWS_PARKED: TroubleEntry(
        Severity.WAITING, "rows are parked ({reason}): {rows}", "billing stripe parked", _PARKED
    ),
    Trouble.IN_FLIGHT_LONG: TroubleEntry(
        Severity.WAITING, "a row has been on its way to Stripe for {seconds}", f"{_LOGS}", _WORKER
    ),
    Trouble.UNPLANNABLE: TroubleEntry(
        Severity.WAITING, "no row can be made of some buckets", "upgrade, or mend what is named", _WORKER
    ),
    Trouble.UNSENDABLE: TroubleEntry(
        Severity.WAITING, "some rows can't be handled", "upgrade, or mend what is named", _WORKER
    ),
    Trouble.NEVER_SET: TroubleEntry(
        Severity.WAITING,
        "accounts have usage, and nobody has set them ({accounts})",
        "billing accounts set ACCOUNT; or mend who writes such ids",
        _CUSTOMERS,
    ),
    Trouble.MISSING: TroubleEntry(
        Severity.WAITING,
        "Stripe has accepted {units} units that its summaries lack",
        "billing stripe reconcile",
        _RECONCILE,
    ),
    Trouble.NOT_INVOICED: TroubleEntry(
        Severity.WAITING,
        "{units} units are accepted by Stripe, and on no invoice: {why}",
        "mend the subscription at Stripe; the link says how",
        _BILLED,
    ),
    Trouble.CUTOFF_NEAR: TroubleEntry(
        Severity.SOON, "due units miss their invoice in {left}, and are carried forward then", _LOGS, _WORKER
    ),
    Trouble.TOO_OLD_NEAR: TroubleEntry(
        Severity.SOON,
        "units have been due for {seconds}; Stripe takes nothing older than 35 days",
        "billing accounts set, or find out what holds them",
        _WORKER,
    ),
    Trouble.PARKED_LONG: TroubleEntry(
        Severity.SOON,
        "a row has been parked for {seconds}; after 140 days it is forgotten",
        "billing stripe parked, then retry, reissue or write-off",
        _PARKED,
    ),
    Trouble.UNITS_HIGH: TroubleEntry(
        Severity.SOON,
        "{buckets} hours of usage of one account and meter are above {bound} units, and are billed",
        "look at what publishes it, and ask the customer",
        "uncharged-usage.md#more-usage-than-anybody-thought-of",
    ),
    Trouble.CLOCK_SKEW: system_entry(
        Severity.SOON,
        "Kafka's clock and a Stripe worker's are {seconds} apart",
        "set the one that is wrong (NTP)",
        _WORKER,
    ),
    Trouble.COMPARISON_FAILED: TroubleEntry(
        Severity.SOON,
        "what Stripe has accepted was not compared with what it bills",
        "billing stripe reconcile",
        _RECONCILE,
    ),
    Trouble.SUBSCRIPTIONS_UNREAD: TroubleEntry(
        Severity.SOON,
        "Stripe does not tell whether usage is on an invoice",
        "let the worker's key read subscriptions (docs/security.md)",
        _BILLED,
    ),
    Trouble.PUSH_LOG_BEHIND: TroubleEntry(
        Severity.NOTE,
        "the push log was last folded {seconds} ago",
        "nothing yet: a Stripe worker may be restarting",
        _SLOW,
    ),
    Trouble.NO_CUSTOMER: TroubleEntry(
        Severity.NOTE,
        "accounts have usage, and no Stripe customer ({accounts})",
        "nothing if they are free; else accounts set --stripe-customer",
        _CUSTOMERS,
    ),
    Trouble.NEVER_BILLED: TroubleEntry(
        Severity.NOTE,
        "{buckets} hours of usage are never billed: before the subscription, or closed",
        "nothing; if the start is wrong: billing accounts set",
        _CUSTOMERS,
    ),
}
