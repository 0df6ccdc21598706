"""The real process on a real Kafka and a real Redis: every record has exactly the fate it must have."""

import json
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ledger.reading import find_account, find_key
from ledger.state import read_state
from local.servers.ports import free_port
from metering.account import Account
from metering.api_key import ApiKeyRecord
from metering.partition import partition_of
from metering.reject import RejectReason
from metering.rfc3339 import from_unix
from tests.aggregator.load import ACCOUNTS, Load, write
from tests.aggregator.system import PARTITIONS, System, running_system
from tests.metering.events import attributes
from tests.support.eventually import eventually_async


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


def faulty_values() -> list[tuple[RejectReason, bytes | None]]:
    """Values that are rejected, with the reason."""
    now = int(time.time())

    def value(**changes: object) -> bytes:
        return json.dumps(attributes(time=from_unix(now)) | changes).encode()

    return [
        (RejectReason.EMPTY, None),
        (RejectReason.TOO_LARGE, value(pad="x" * 65_536)),
        (RejectReason.TOO_LARGE, b"x" * 1_000_000),
        (RejectReason.INVALID_JSON, b"\xff\xfe"),
        (RejectReason.INVALID_JSON, b'{"x":' * 10_000),
        (RejectReason.INVALID_EVENT, value(id="")),
        (RejectReason.UNKNOWN_METER, value(type="fax")),
        (RejectReason.INVALID_ACCOUNT, value(subject="a b")),
        (RejectReason.INVALID_QUANTITY, value(data={"quantity": "2"})),
        (RejectReason.TIME_TOO_OLD, value(time=from_unix(now - 35 * 86_400))),
        (RejectReason.TIME_IN_FUTURE, value(time=from_unix(now + 3600))),
    ]


async def test_a_mixed_load_is_counted_exactly(system: System) -> None:
    """From a client that puts most accounts on the wrong partition, with repetitions and every kind of reject."""
    load, producer, faulty = Load(), system.producer(**{"message.max.bytes": 2_000_000}), faulty_values()
    write(producer, system.names.usage, load.events(2500))
    port = free_port()
    system.start(http_port=port)
    for _, value in faulty:
        producer.produce(system.names.usage, value, "k")
    write(producer, system.names.usage, load.events(2500))

    await system.shows(load.units)

    async def all_is_read() -> bool:
        fates = await system.conservation()
        return fates.read - fates.rerouted == 5000 + len(faulty)

    await eventually_async(all_is_read, what="the repetitions and rejects behind the last event that counts")
    fates = await system.conservation()
    assert fates.counted == load.made
    assert fates.dead == len(faulty)
    assert fates.rerouted > 1000
    letters = system.dead_letters()
    assert Counter(letter["dlq.reason"].decode() for letter in letters.values()) == Counter(r.value for r, _ in faulty)
    assert Counter(letter[""] for letter in letters.values()) == Counter(value for _, value in faulty)
    assert {topic.decode() for topic, _, _ in letters} == {system.names.usage}

    async def all_is_told() -> bool:
        return all(samples(port)["usage_lag_records", "usage", str(shard)] == 0 for shard in range(PARTITIONS))

    await eventually_async(all_is_told, what="metrics without a lag")
    told = samples(port)
    for fate in ("counted", "duplicate", "dead", "rerouted"):
        assert told["usage_records_total", fate] == getattr(fates, fate)
    assert told["usage_batch_records_sum",] == fates.read
    assert sum(value for name, value in told.items() if name[0] == "usage_dead_letters_total") == len(faulty)
    for shard in range(PARTITIONS):
        assert told["usage_freshness_seconds", str(shard)] < 10
    assert page(port, "healthz") == "ok\n"


def page(port: int, name: str) -> str:
    """What the process shows of itself."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=5) as answer:
        return str(answer.read().decode())


def samples(port: int) -> dict[tuple[str, ...], float]:
    """Its metrics by name and the values of their labels."""
    families = text_string_to_metric_families(page(port, "metrics"))
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


async def test_records_with_hostile_headers_are_counted(system: System) -> None:
    """Any producer can write any header: none stops a shard."""
    load, producer = Load(), system.producer()
    hostile = [[("origin.time", None)], [("origin.time", b"9" * 5000)], [("ce", b"\xff")], [("", b"")]]
    out_of_time = json.dumps(attributes(time="9999-12-31T23:59:59-23:59")).encode()
    forged = [("origin.topic", system.names.usage.encode()), ("origin.partition", b"0"), ("origin.offset", b"0")]
    forged.append(("origin.time", b"253402300799000"))
    for headers in [*hostile, forged] * 4:
        key, value = load.event()
        producer.produce(system.names.usage, value, key, headers=headers)
        producer.produce(system.names.usage, out_of_time, key, headers=headers)
    producer.flush()
    system.start()

    await system.shows(load.units)

    assert len(system.dead_letters()) == 20


async def test_events_in_binary_mode_are_counted(system: System) -> None:
    """On the right partition or on another: the copy takes the attributes along."""
    load, producer = Load(), system.producer()
    for _ in range(200):
        key, value = load.event()
        event = json.loads(value)
        data = json.dumps(event.pop("data")).encode()
        headers = [(f"ce_{name}", text.encode()) for name, text in event.items()]
        producer.produce(system.names.usage, data, key, headers=[*headers, ("content-type", b"application/json")])
        producer.produce(system.names.usage, value, key)  # the same event in structured mode
    producer.flush()
    system.start()

    await system.shows(load.units)

    fates = await system.conservation()
    assert (fates.counted, fates.dead) == (200, 0)
    assert fates.rerouted > 0


async def test_aborted_transactions_are_not_counted_and_markers_do_not_hold_the_shard(system: System) -> None:
    """The log may end with an abort or a commit marker, or with nothing but them: each shard becomes ready."""
    load, topic = Load(), system.names.usage
    producer = system.producer(**{"transactional.id": system.settings.topic_prefix})
    producer.init_transactions()
    for committed in (True, False, True, False):
        shadow = Load(seed=2)
        producer.begin_transaction()
        write(producer, topic, (load if committed else shadow).events(40, repeated=0))
        producer.commit_transaction() if committed else producer.abort_transaction()
    system.start()

    await system.shows(load.units)

    assert (await system.conservation()).counted == load.made
    ends = await all_fences(system)
    producer.begin_transaction()
    write(producer, topic, Load(seed=3).events(40, repeated=0))
    producer.abort_transaction()
    await freshness_goes_on(system)
    assert all(after > before for before, after in zip(ends, await all_fences(system), strict=True))
    assert await system.seen(ACCOUNTS) == load.units


async def all_fences(system: System) -> list[int]:
    """Where the shards stand in the usage log."""
    return [(await read_state(system.ledger.shard(n))).fences["usage"] for n in range(PARTITIONS)]


async def freshness_goes_on(system: System) -> None:
    """Waits until every shard was found folded to the end of its logs, as they are after now."""
    now_ms = time.time_ns() // 1_000_000

    async def fresh() -> bool:
        states = [await read_state(system.ledger.shard(number)) for number in range(PARTITIONS)]
        return all((state.as_of_ms or 0) > now_ms for state in states)

    await eventually_async(fresh, 20.0, "freshness")


async def test_an_open_transaction_is_counted_when_it_commits(system: System) -> None:
    """Until then the shard is ready without it, and so is what comes behind it."""
    load, later, topic = Load(), Load(seed=2), system.names.usage
    producer = system.producer(**{"transactional.id": system.settings.topic_prefix})
    producer.init_transactions()
    producer.begin_transaction()
    write(producer, topic, load.events(60, repeated=0))
    write(system.producer(), topic, later.events(20, repeated=0))
    system.start()

    async def ready_without() -> bool:
        return await system.seen(ACCOUNTS) == Counter()

    await eventually_async(ready_without, what="every shard to be ready")
    producer.commit_transaction()

    await system.shows(load.units + later.units)


async def test_accounts_and_keys_are_folded_from_their_logs(system: System) -> None:
    """The last valid record of each; what can't be read is a dead letter."""
    account, record = "acme", Account(customer="cus_1")
    key_hash, key = "f" * 64, ApiKeyRecord(account=account, created=1)
    place = partition_of(account, PARTITIONS)
    producer = system.producer()
    producer.produce(system.names.accounts, b"{}", account, place)
    producer.produce(system.names.accounts, record.to_json(), account, place)
    producer.produce(system.names.accounts, b"nonsense", account, place)
    key_place = partition_of(key_hash, PARTITIONS)
    producer.produce(system.names.api_keys, key.to_json(), key_hash, key_place)
    producer.flush()
    system.start()
    await freshness_goes_on(system)

    shard, key_shard = system.ledger.shard(place), system.ledger.shard(key_place)
    assert await find_account(shard, account) == record.to_json()
    assert await find_key(key_shard, key_hash) == key
    assert [letter[""] for letter in system.dead_letters().values()] == [b"nonsense"]

    producer.produce(system.names.api_keys, None, key_hash, key_place)
    producer.flush()

    async def revoked() -> bool:
        return await find_key(key_shard, key_hash) is None

    await eventually_async(revoked)


async def test_a_second_copy_of_the_state_folds_beside_the_first(system: System, tmp_path: Path) -> None:
    """Its consumer group and keys carry its own prefix."""
    load = Load()
    write(system.producer(), system.names.usage, load.events(300))
    copy = System(
        system.settings.model_copy(update={"redis_prefix": f"{system.settings.redis_prefix}copy:"}),
        system.client,
        tmp_path / "copy",
    )
    copy.directory.mkdir()
    system.start()
    await system.shows(load.units)
    try:
        copy.start()
        await copy.shows(load.units)
    finally:
        copy.processes[0].kill()
