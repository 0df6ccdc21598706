"""`billing keys`: finding a key by its hash, and the commands on a real Kafka and a real Redis."""

import asyncio
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import redis
import requests
from kafka import KafkaConsumer, TopicPartition
from typer.testing import CliRunner, Result

from api.app import create_app
from api.settings import ApiSettings
from ledger.keys import ShardKeys
from metering.api_key import ApiKeyRecord, key_hash, make_api_key
from metering.partition import partition_of
from ops.console.errors import OpsError
from ops.keys import SHOWN_DIGITS, app, find_hash, whole_hash
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics
from tests.api.folded import PARTITIONS, Folded, folding
from tests.api.serving import serving

HASHES = {"a" * 64, "ab" * 32, "c" * 64}
USAGE = "/api/billing/usage"


@pytest.mark.parametrize(
    ("given", "found"),
    [("a" * 63, "a" * 64), ("c" * 8, "c" * 64), ("ABABABABABAB", "ab" * 32), ("c" * SHOWN_DIGITS, "c" * 64)],
)
def test_a_key_is_found_by_the_beginning_of_its_hash(given: str, found: str) -> None:
    """With enough digits, upper or lower case, that only one key has."""
    assert find_hash(given, HASHES) == found


KEY = make_api_key(lambda alphabet: alphabet[3])


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        (KEY, key_hash(KEY)),
        (key_hash(KEY), key_hash(KEY)),
        ("AB" * 32, "ab" * 32),
        (KEY[:-1], None),
        (KEY[:-1] + "x", None),
        (KEY.lower(), None),
        ("a" * 63, None),
        ("a" * 65, None),
        ("g" * 64, None),
    ],
)
def test_a_whole_key_or_hash_says_which_is_meant_by_itself(given: str, whole: str | None) -> None:
    """Even if no log knows it; a shorter or mistyped text must be looked up."""
    assert whole_hash(given) == whole


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("c" * 7, "neither"),
        ("acct_1", "neither"),
        ("c" * 65, "neither"),
        ("d" * 8, "no key"),
    ],
)
def test_what_names_no_key_is_refused(given: str, why: str) -> None:
    """Too few digits, no digits, or digits that no key has."""
    with pytest.raises(OpsError, match=why):
        find_hash(given, HASHES)


def test_digits_that_two_keys_share_name_neither() -> None:
    """So no key is revoked by chance."""
    with pytest.raises(OpsError, match="2 keys"):
        find_hash("a" * 8, {"a" * 64, "a" * 8 + "b" * 56})


class Commands:
    """`billing keys` on the servers of the tests."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment

    def run(self, *arguments: str) -> Result:
        """The command's end, whatever it is."""
        return CliRunner().invoke(app, arguments, env=self._environment)

    def said(self, *arguments: str) -> str:
        """What it prints when it succeeds."""
        done = self.run(*arguments)
        assert done.exit_code == 0, done.output
        return done.stdout.strip()


@contextmanager
def keys_folded(folded: Folded, kafka: KafkaSettings, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Folds the keys' log into Redis while the context lasts."""
    stop = threading.Event()
    topic = TopicNames(kafka.topic_prefix).api_keys

    def fold() -> None:
        consumer = KafkaConsumer(bootstrap_servers=kafka.kafka_bootstrap_servers, enable_auto_commit=False)
        places = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        while not stop.is_set():
            for batch in consumer.poll(timeout_ms=50).values():
                for record in batch:
                    assert record.partition == partition_of(record.key.decode(), PARTITIONS)
                    told = folded.tell_key(record.key.decode(), record.value)
                    asyncio.run_coroutine_threadsafe(told, loop).result()
        consumer.close()

    thread = threading.Thread(target=fold)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@dataclass(frozen=True)
class Installation:
    """The servers that commands and readers share; `stray` makes a working key that no log knows."""

    keys: Commands
    status: Callable[[str], int]
    stray: Callable[[str], None]


async def on_an_installation(
    kafka_bootstrap: str,
    topic_prefix: str,
    redis_url: str,
    redis_prefix: str,
    story: Callable[[Installation], None],
) -> None:
    """Tells a story, in a thread, beside a fold of the keys' log and a served API."""
    kafka = KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=PARTITIONS)
    create_topics(kafka)
    environment = {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "BILLING_TOPIC_PREFIX": topic_prefix,
        "BILLING_PARTITIONS": str(PARTITIONS),
        "BILLING_REDIS_URL": redis_url,
        "BILLING_REDIS_PREFIX": redis_prefix,
    }
    api = create_app(ApiSettings(redis_url=redis_url, redis_prefix=redis_prefix, partitions=PARTITIONS))
    async with folding(redis_url, redis_prefix) as folded:
        await folded.ready()
        with keys_folded(folded, kafka, asyncio.get_running_loop()), serving(api) as url:

            def status(key: str) -> int:
                return requests.get(f"{url}{USAGE}", headers={"Authorization": f"Bearer {key}"}, timeout=10).status_code

            def stray(key: str) -> None:
                name = key_hash(key)
                keys = ShardKeys(redis_prefix, partition_of(name, PARTITIONS))
                with redis.Redis.from_url(redis_url) as client:
                    client.hset(keys.api_keys, name, ApiKeyRecord(account="acme", created=1).to_json())

            await asyncio.to_thread(story, Installation(Commands(environment), status, stray))


async def test_the_life_of_keys(kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str) -> None:
    """Several keys per account, with labels and last use; a key works, or is revoked, once the command returns."""
    await on_an_installation(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, _live)


async def test_a_key_that_no_log_knows_can_be_revoked(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str
) -> None:
    """By itself or by its whole hash: a key that opens an account must be revocable."""
    await on_an_installation(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, _revoke_strays)


def _revoke_strays(installation: Installation) -> None:
    keys, status = installation.keys, installation.status
    for named in (str, key_hash):
        key = make_api_key(secrets.choice)
        installation.stray(key)
        assert status(key) == 200
        keys.said("revoke", named(key))
        assert status(key) == 401
    assert keys.run("revoke", key_hash(make_api_key(secrets.choice))[:63]).exit_code == 1


def _live(installation: Installation) -> None:
    keys, status = installation.keys, installation.status
    made = {label: keys.said("create", "acme", "--label", label) for label in ("laptop", "night job", "unused")}
    keys.said("create", "other")
    assert [status(made[label]) for label in ("laptop", "night job")] == [200, 200]

    lines = keys.said("list", "acme").splitlines()
    assert lines[0].split() == ["SHA256", "ACCOUNT", "CREATED", "LAST", "USED", "LABEL"]
    found = {label: line for line in lines[1:] for label in made if line.endswith(label)}
    assert set(found) == set(made)
    assert all(line.startswith(key_hash(made[label])[:SHOWN_DIGITS] + " ") for label, line in found.items())
    used = {label: line.split()[3] != "-" for label, line in found.items()}
    assert used == {"laptop": True, "night job": True, "unused": False}
    assert not any(key in "".join(lines) for key in made.values())

    keys.said("create", "mallory", "--label", "\x1b]0;owned\x07\x1b[2J\u202egnol")
    assert "\\x1b]0;owned\\x07\\x1b[2J\\u202egnol" in keys.said("list", "mallory")

    for how in (made["laptop"], key_hash(made["night job"])[:SHOWN_DIGITS]):
        keys.said("revoke", how)
    assert [status(key) for key in made.values()] == [401, 401, 200]
    assert len(keys.said("list", "acme").splitlines()) == 2
    assert len(keys.said("list").splitlines()) == 4
