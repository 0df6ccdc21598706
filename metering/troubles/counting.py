"""What can keep usage from being counted."""

from collections.abc import Mapping

from metering.troubles.entry import Severity, TroubleEntry, system_entry
from metering.troubles.names import Trouble

_DRAIN = "stopped-shards.md#letting-it-drain-billing-drain"
_LETTERS = "dead-letters.md#dead-letters-that-grow"
_LOST = "lost-logs.md"
_OPEN = "open-transactions.md"
_ORDERS = "stopped-shards.md#passing-it-by-billing-quarantine"
_REBUILD = "rebuild.md"
_SERVICES = "failures.md#services-that-are-away"
_SLOW = "failures.md#a-shard-that-lags"
_STOP = "stopped-shards.md"
_VERIFY = "verify.md"

COUNTING: Mapping[Trouble, TroubleEntry] = {
    Trouble.UNREADABLE_BATCH: TroubleEntry(
        Severity.STOPPED,
        "{log} has been stopped for {seconds} by a batch that can't be read",
        "an aggregator that can read it, or billing quarantine {shard} {offset} --why ...",
        "unreadable-batches.md",
    ),
    Trouble.APPENDED_AHEAD: TroubleEntry(
        Severity.STOPPED,
        "{log} has been stopped for {seconds} by a record from the future",
        "set the clock that is wrong, or billing quarantine {shard} {offset} --why ...",
        "clocks.md",
    ),
    Trouble.REJECTS: TroubleEntry(
        Severity.STOPPED,
        "{log} has been stopped for {seconds}: nearly everything in it is rejected",
        "mend the aggregator; if the producers are wrong: billing drain {shard} --why ...",
        _DRAIN,
    ),
    Trouble.LOG_LOST: TroubleEntry(
        Severity.STOPPED,
        "{log} has been stopped for {seconds}: it is not the log that was folded",
        "put the log back; if there is none: billing rebuild {shards}",
        _LOST,
    ),
    Trouble.UNSAFE_SERVER: TroubleEntry(
        Severity.STOPPED,
        "{log} has been stopped for {seconds}: Redis throws keys away by itself",
        "set maxmemory-policy noeviction; if it has evicted: billing rebuild {shards}",
        "evicting-redis.md",
    ),
    Trouble.STOPPED_OTHERWISE: TroubleEntry(
        Severity.STOPPED,
        "{log} has been stopped for {seconds} ({reason})",
        "as the cause says, with its version's docs",
        _STOP,
    ),
    Trouble.CLEARING_LONG: TroubleEntry(
        Severity.STOPPED,
        "a rebuild has been clearing it for {seconds}",
        "if none runs: billing rebuild {shards}",
        _REBUILD,
    ),
    Trouble.NOT_BEGUN: TroubleEntry(
        Severity.STOPPED, "empty, and nobody folds it", "start aggregators, look at their logs", _SERVICES
    ),
    Trouble.FIRST_FOLD_STANDS: TroubleEntry(
        Severity.STOPPED,
        "the first fold does not get on, and accounts read 503",
        "start aggregators, look at their logs",
        _SLOW,
    ),
    Trouble.UNSEEN: TroubleEntry(
        Severity.STOPPED,
        "not caught up for {seconds}, and accounts read 503",
        "start aggregators, look at their logs",
        _SLOW,
    ),
    Trouble.LOG_ENDS_BEFORE: TroubleEntry(
        Severity.STOPPED,
        "{log} ends at {end}, and {fence} was folded",
        "put it back, or billing rebuild {shards}",
        _LOST,
    ),
    Trouble.LOG_BEGINS_AFTER: TroubleEntry(
        Severity.STOPPED,
        "{log} begins at {begin}, and {fence} must be folded next: retention was faster",
        "put it back, or billing rebuild {shards}",
        _LOST,
    ),
    Trouble.STALE: TroubleEntry(
        Severity.WAITING, "not caught up for {seconds}", "start aggregators, look at their logs", _SLOW
    ),
    Trouble.LAG_LONG: TroubleEntry(
        Severity.WAITING,
        "the oldest uncounted record has waited {seconds}",
        "more aggregators, or look for what slows them",
        _SLOW,
    ),
    Trouble.TRANSACTION_OPEN: TroubleEntry(
        Severity.WAITING,
        "an open transaction{writer} has held {log} up for {seconds}: up to {records} records wait",
        "end its producer, or abort it with kafka-transactions.sh",
        _OPEN,
    ),
    Trouble.UNBALANCED: TroubleEntry(
        Severity.WAITING,
        "{records} records read are not the sum of their fates",
        "billing verify --shard {shard}, then billing rebuild {shards}",
        _VERIFY,
    ),
    Trouble.ORDER_LATE: TroubleEntry(
        Severity.WAITING,
        "{offsets} offsets were counted before the order came to pass them by",
        "billing rebuild {shards}",
        _ORDERS,
    ),
    Trouble.ORDER_GONE: TroubleEntry(
        Severity.WAITING,
        "{offsets} offsets were passed by, of which no order tells any more",
        "billing rebuild {shards}",
        _ORDERS,
    ),
    Trouble.ORDER_INVALID: system_entry(
        Severity.WAITING, "records in {log} are no orders", "write the key anew, or give it no value", _ORDERS
    ),
    Trouble.SOURCE_REJECTED: system_entry(
        Severity.WAITING,
        "most events of {source} are rejected",
        "mend that producer; then billing dlq redrive",
        _LETTERS,
    ),
    Trouble.DEAD_LETTERS_GROW: system_entry(
        Severity.WAITING,
        "records of the last hour could not be counted ({reason}): {records}",
        "billing dlq list, mend what writes them, billing dlq redrive",
        _LETTERS,
    ),
    Trouble.DEAD_LETTERS_UNREADABLE: system_entry(
        Severity.WAITING, "batches of dead letters can't be read", "billing dlq list reads around them", _LETTERS
    ),
    Trouble.BEHIND: TroubleEntry(
        Severity.NOTE,
        "not caught up for {seconds}",
        "nothing yet: a service may be restarting",
        _SLOW,
    ),
    Trouble.DEAD_LETTERS_OPEN: system_entry(
        Severity.NOTE,
        "older dead letters are open ({reason}): {records}",
        "billing dlq list, then redrive or discard",
        _LETTERS,
    ),
    Trouble.CLOSED: TroubleEntry(
        Severity.NOTE,
        "folded from a log whose head is gone: usage before {time} is not billed any more",
        "nothing",
        _REBUILD,
    ),
    Trouble.PARTITIONS_ADDED: TroubleEntry(
        Severity.NOTE,
        "partitions that were added: what lies there is re-routed",
        "nothing",
        "added-partitions.md",
    ),
    Trouble.DRAINING: TroubleEntry(Severity.NOTE, "rejects drain, as {who} ordered", "nothing", _DRAIN),
}
