"""The bounds of one usage event, each with its source; producers refuse what the platform would reject."""

MAX_RECORD_BYTES = 64 * 1024
"""Bytes of one record's value. CloudEvents 1.0, "Size Limits": 64 KiB is what every intermediary must forward."""

MAX_ID_LENGTH = 256
"""Characters of `id` and, each by itself, of `source`. CloudEvents sets no bound; ours keeps a dead letter readable."""

MAX_ACCOUNT_LENGTH = 128
"""Characters of an account id: it is part of every Redis key of the account."""

ACCOUNT_PATTERN = r"^[A-Za-z0-9_.:-]{1,128}$"
"""What an account id may hold: no braces (Redis hash tags), no spaces. Match it whole: `$` allows a final newline."""

MAX_QUANTITY = 1_000_000_000
"""Units of one event. Sums are exact up to 2**63, the integers of Redis (`ledger/guards/exact.lua`): 9.2 * 10**9 events
of this size, of one account and meter on one day, which are 74 GB of remembered identities in one shard."""

MAX_FUTURE_MS = 5 * 60 * 1000
"""Milliseconds that `time` may be after the record's append time. Stripe takes a meter event 5 minutes ahead."""

MAX_PAST_MS = 34 * 24 * 3600 * 1000
"""Milliseconds that `time` may be before the record's append time. Stripe takes 35 days; one is left for delivery."""
