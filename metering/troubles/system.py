"""Servers and services that are away: nothing is counted, shown or billed."""

from collections.abc import Mapping

from metering.troubles.entry import Severity, TroubleEntry, system_entry
from metering.troubles.names import Trouble

_AWAY = "failures.md#when-servers-fail"
_LOGS = "look at the logs of the Stripe workers"
_SERVICES = "failures.md#services-that-are-away"
_WORKER = "stripe-worker.md#what-a-stripe-worker-says"

SYSTEM: Mapping[Trouble, TroubleEntry] = {
    Trouble.KAFKA_AWAY: system_entry(
        Severity.STOPPED,
        "Kafka does not answer",
        "start it, or set BILLING_KAFKA_BOOTSTRAP_SERVERS to where it is",
        _AWAY,
    ),
    Trouble.REDIS_AWAY: system_entry(
        Severity.STOPPED, "Redis does not answer", "start it, or set BILLING_REDIS_URL to where it is", _AWAY
    ),
    Trouble.REDIS_REFUSES: system_entry(
        Severity.STOPPED,
        "Redis refuses writes ({why}): nothing is counted or billed",
        "give it room: maxmemory, or its disk",
        _AWAY,
    ),
    Trouble.NOT_SEEN: system_entry(Severity.STOPPED, "{what} can't be read", "as the cause says", _AWAY),
    Trouble.AGGREGATOR_AWAY: system_entry(
        Severity.STOPPED,
        "no aggregator for {seconds}: nothing is counted",
        "start aggregators, look at their logs",
        _SERVICES,
    ),
    Trouble.STRIPE_WORKER_AWAY: system_entry(
        Severity.STOPPED,
        "no Stripe worker for {seconds}: nothing is billed",
        f"start Stripe workers, {_LOGS}",
        _SERVICES,
    ),
    Trouble.API_AWAY: system_entry(
        Severity.STOPPED,
        "no API for {seconds}: nothing is shown",
        "start it, look at its log",
        _SERVICES,
    ),
    Trouble.STRIPE_KEY_REFUSED: system_entry(
        Severity.STOPPED,
        "nothing is billed: Stripe refuses the key",
        "set BILLING_STRIPE_API_KEY (docs/security.md)",
        _WORKER,
    ),
    Trouble.STRIPE_WORKER_ENDED: system_entry(
        Severity.STOPPED, "nothing is billed: a Stripe worker has ended", "as the cause says", _WORKER
    ),
    Trouble.API_QUIET: system_entry(
        Severity.NOTE,
        "no API has said for {seconds} that it is there",
        "nothing yet: it may be restarting",
        _SERVICES,
    ),
    Trouble.SAID_OTHERWISE: system_entry(
        Severity.WAITING, "a service of another version says {name}", "billing of that version", _WORKER
    ),
}
