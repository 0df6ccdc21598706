"""Commands on logs with an unreadable batch: they name it, and do as much as possible."""

import asyncio
import gzip
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import redis
from kafka import KafkaAdminClient
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from aggregator.folds.dead_letters import dead_letter
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, open_shard
from metering.reject import Reject, RejectReason
from ops.cli import app
from ops.logs.dead_letters import LetterOrigin
from ops.logs.settings import TableSettings
from runtime.topics import TopicNames, create_topics
from runtime.unpacking import MAX_UNPACKED_BYTES
from tests.metering.events import Record, event
from tests.support import raw_batches

BEHIND = "behind:"
BOMB = raw_batches.batch([raw_batches.record(0, b"key", bytes(MAX_UNPACKED_BYTES))], 1, gzip.compress)


@dataclass
class Spoiled:
    """A platform of one shard, without processes; in all its logs, the batch at offset 1 can't be read."""

    settings: TableSettings

    @property
    def names(self) -> TopicNames:
        """The topics."""
        return TopicNames(self.settings.topic_prefix)

    def billing(self, *arguments: str) -> Result:
        """Runs the command."""
        env = {
            "BILLING_KAFKA_BOOTSTRAP_SERVERS": self.settings.kafka_bootstrap_servers,
            "BILLING_TOPIC_PREFIX": self.settings.topic_prefix,
            "BILLING_PARTITIONS": "1",
            "BILLING_REDIS_URL": self.settings.redis_url,
            "BILLING_REDIS_PREFIX": self.settings.redis_prefix,
        }
        return CliRunner().invoke(app, list(arguments), env=env)


def letter(offset: int) -> Record:
    """A dead letter as it is read back."""
    written = dead_letter("dead", "usage.events", 0, Record(offset, event()), Reject(RejectReason.UNKNOWN_METER, "fax"))
    return Record(0, written.value, headers=list(written.headers))


async def spoil(settings: TableSettings, names: TopicNames) -> None:
    """Writes a good batch, the bomb, and a good batch; one copy of the shard stands before the bomb, one behind it."""
    usage = raw_batches.batch([raw_batches.record(0, b"acme", event())])
    letters = [
        raw_batches.batch(
            [raw_batches.record(0, b"key", each.value, [(name.encode(), value) for name, value in each.headers])]
        )
        for each in (letter(7), letter(8))
    ]
    for topic, first, last in (
        (names.usage, usage, usage),
        (names.accounts, usage, usage),
        (names.api_keys, usage, usage),
        (names.pushes, usage, usage),
        (names.dead_letters, *letters),
    ):
        await raw_batches.write(settings.kafka_bootstrap_servers, topic, [(0, first), (0, BOMB), (0, last)])
    async with Redis.from_url(settings.redis_url) as client:
        for prefix, fence in ((settings.redis_prefix, 1), (settings.redis_prefix + BEHIND, 3)):
            shard = Ledger(RedisStore(client), prefix, 1).shard(0)
            await open_shard(shard, Log.USAGE, earliest=fence, incarnation="one")


@pytest.fixture(scope="module")
def spoiled(kafka_bootstrap: str, kafka_admin: KafkaAdminClient, redis_url: str) -> Iterator[Spoiled]:
    """Ready to be asked, by all tests of this module."""
    prefix = f"test-{uuid.uuid4().hex[:12]}-"
    settings = TableSettings(
        kafka_bootstrap_servers=kafka_bootstrap,
        topic_prefix=prefix,
        partitions=1,
        redis_url=redis_url,
        redis_prefix=prefix,
    )
    try:
        create_topics(settings)
        asyncio.run(spoil(settings, TopicNames(prefix)))
        yield Spoiled(settings)
    finally:
        kafka_admin.delete_topics([topic for topic in kafka_admin.list_topics() if topic.startswith(prefix)])
        with redis.Redis.from_url(redis_url) as client:
            for key in client.scan_iter(match=f"{prefix}*"):
                client.unlink(key)


def test_status_says_how_everything_stands_whatever_lies_in_the_logs(spoiled: Spoiled) -> None:
    """It shows the shard before an unreadable batch, and the letters beside another one."""
    shown = spoiled.billing("status")

    assert shown.exception is None or isinstance(shown.exception, SystemExit), shown.exception
    assert "(unknown_meter)" in shown.stdout
    assert f"{spoiled.names.dead_letters}-0: the batch at offset 1 can't be read" in " ".join(shown.stdout.split())
    assert shown.stderr == ""


def test_the_letters_beside_what_can_not_be_read_are_looked_after(spoiled: Spoiled) -> None:
    """The unreadable batch is named at every look."""
    listed = spoiled.billing("dlq", "list")
    discarded = spoiled.billing("dlq", "discard", str(LetterOrigin("usage.events", 0, 8)), "--why", "a test", "--yes")
    left = spoiled.billing("dlq", "list")

    assert (listed.exit_code, discarded.exit_code) == (0, 0), (listed.output, discarded.output)
    assert ("2 letters, 2 open" in listed.stdout, "1 letters, 1 open" in left.stdout) == (True, True)
    assert f"{spoiled.names.dead_letters}-0: the batch at offset 1 can't be read: its gzip data" in listed.stderr


COMMANDS = {
    "verify": (("verify", "--redis-prefix", BEHIND), "usage.events", 2),
    "replay": (("replay", "--partition", "0", "--offsets", "0:3", "--dry-run"), "usage.events", 1),
    "explain": (("explain", "0123456789"), "stripe.pushes", 1),
    "accounts": (("accounts", "list"), "billing.accounts", 1),
    "accounts set": (("accounts", "set", "acme", "--stripe-customer", "cus_1"), "billing.accounts", 1),
    "keys": (("keys", "list"), "billing.api-keys", 1),
}


@pytest.mark.parametrize(("arguments", "topic", "code"), COMMANDS.values(), ids=COMMANDS)
def test_a_command_that_can_not_go_on_names_what_is_in_its_way(
    spoiled: Spoiled, arguments: tuple[str, ...], topic: str, code: int
) -> None:
    """In one line, without Kafka's address: the address is not the problem."""
    copy = spoiled.settings.redis_prefix + BEHIND
    done = spoiled.billing(*(copy if argument == BEHIND else argument for argument in arguments))

    assert done.exit_code == code, (done.output, done.exception)
    said = done.stderr.strip().splitlines()
    expected = f"billing: {spoiled.settings.topic_prefix}{topic}-0: the batch at offset 1 can't be read: its gzip data"
    assert said[-1].startswith(expected), said
    assert "Traceback" not in done.stderr
