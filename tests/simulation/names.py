"""The small world of every seed."""

from ledger.keys import ShardKeys
from ledger.state import Log
from metering.push_log import StripeIdentity

PARTITIONS = 2
ACCOUNTS = ("a0", "a1", "a2", "a4")  # two on each shard
PREFIX = ""
SHARDS = {ShardKeys(PREFIX, number).fences: number for number in range(PARTITIONS)}  # by their fences' names
GRACE_SECONDS = 3600
PUSH_INTERVAL_SECONDS = 1.0

USAGE, DEAD_LETTERS, ACCOUNT_TABLE, KEY_TABLE, PUSHES = "usage", "dlq", "accounts", "keys", "pushes"
TOPIC_OF = {Log.USAGE: USAGE, Log.ACCOUNTS: ACCOUNT_TABLE, Log.API_KEYS: KEY_TABLE, Log.PUSHES: PUSHES}
FOLDED = {log: TOPIC_OF[log] for log in (Log.USAGE, Log.ACCOUNTS, Log.API_KEYS)}
IDENTITY = StripeIdentity(namespace="simulation", account="acct_simulated", livemode=False)
