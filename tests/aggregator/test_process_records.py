"""The real process and whatever other people's clients write: each record has its fate, and the process goes on."""

import gzip
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from ledger.reading import find_account
from metering.account import Account
from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.reject import RejectReason
from metering.rfc3339 import from_unix
from tests.aggregator.load import Load, write
from tests.aggregator.system import PARTITIONS, System, running_system
from tests.metering.events import attributes
from tests.support import raw_batches

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
BAD_NAME = b"caf\xe9"
MIB = 1024 * 1024
ACCOUNT, METER = "acme", CATALOGUE[0].name


@pytest.fixture
async def system(
    kafka_bootstrap: str, topic_prefix: str, redis_url: str, redis_prefix: str, tmp_path: Path
) -> AsyncIterator[System]:
    """Topics and keys of this test; no process yet."""
    async with running_system(kafka_bootstrap, topic_prefix, redis_url, redis_prefix, tmp_path) as system:
        yield system


def set_codec(admin: KafkaAdminClient, topic: str, codec: str) -> None:
    """From now on the broker packs what comes by this codec, however it came packed."""
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs={"compression.type": codec})])


async def test_every_codec_is_counted(system: System, kafka_admin: KafkaAdminClient) -> None:
    """As librdkafka packs it, and as the broker does itself, in Java, where a topic says so."""
    load = Load()
    process = system.start()
    for codec in CODECS:
        write(system.producer(**{"compression.type": codec}), system.names.usage, load.events(300))
    for codec in CODECS[1:]:
        set_codec(kafka_admin, system.names.usage, codec)
        write(system.producer(), system.names.usage, load.events(300))

    await system.shows(load.units)
    assert (await system.conservation()).counted == load.made
    assert process.popen.poll() is None, process.output


@dataclass(frozen=True)
class Case:
    """A record that clients refuse to write, or seldom do. `reason`: of its dead letter; None: it is counted."""

    headers: Sequence[raw_batches.Header] = ()
    value: bytes | None = b"{"
    key: bytes | None = b"key"
    reason: RejectReason | None = RejectReason.INVALID_JSON
    misplaced: bool = False
    left_out: frozenset[str] = frozenset()


def counted(*headers: raw_batches.Header, misplaced: bool = False) -> Case:
    """A countable event with such headers."""
    return Case(headers, reason=None, misplaced=misplaced)


CASES = {
    "a name that is not UTF-8": counted((BAD_NAME, b"x")),
    "such a name, on the wrong partition": counted((BAD_NAME, b"x"), misplaced=True),
    "such a name of no event": Case([(BAD_NAME, b"x")]),
    "neither key nor value": Case(key=None, value=None, reason=RejectReason.EMPTY),
    "3 MiB in 3 kB": Case(value=bytes(3 * MIB), reason=RejectReason.TOO_LARGE, left_out=frozenset({"value"})),
    "1.2 MiB of headers, on the wrong partition": counted((b"pad", bytes(1_200_000)), misplaced=True),
    "1.2 MiB of headers of no event": Case([(b"pad", bytes(1_200_000))]),
    "3 MiB of headers of no event": Case([(b"pad", bytes(3 * MIB))], left_out=frozenset({"headers"})),
    "10,000 headers of no event": Case([(b"h%d" % number, b"x") for number in range(10_000)]),
    "a key of 1 MB": Case(key=bytes(1_000_000)),
    "a key of 3 MiB": Case(key=bytes(3 * MIB), left_out=frozenset({"key"})),
}


@dataclass
class Written:
    """The cases as they were written: each in a batch of its partition, in the middle of good events."""

    batches: list[tuple[int, bytes]] = field(default_factory=list)
    units: int = 0

    def add(self, case: Case, place: int) -> None:
        """Each event that must be counted has a quantity that tells it from the sum of all others."""
        value = self._event(1 << place) if case.reason is None else case.value
        records = [
            raw_batches.record(0, b"key", self._event(1 << 20)),
            raw_batches.record(1, case.key, value, case.headers),
            raw_batches.record(2, b"key", self._event(1 << 20)),
        ]
        partition = (partition_of(ACCOUNT, PARTITIONS) + case.misplaced) % PARTITIONS
        self.batches.append((partition, raw_batches.batch(records, 1, gzip.compress)))

    def _event(self, quantity: int) -> bytes:
        self.units += quantity
        changes = {"id": uuid.uuid4().hex, "subject": ACCOUNT, "time": from_unix(int(time.time()))}
        return json.dumps(attributes(**changes, data={"quantity": quantity})).encode()


def left_out(letter: dict[str, bytes | None]) -> frozenset[str]:
    """The parts of the original that a letter has no room for."""
    return frozenset(name.split(".")[1] for name in letter if name.startswith("dlq.") and name.endswith(".sha256"))


async def test_what_clients_refuse_to_write_has_its_fate_too(system: System) -> None:
    """Each is counted or has its letter, and what lies beside it is counted; so it is with an account's record."""
    process, written, account = system.start(), Written(), Account(customer="cus_1").to_json()
    home, bootstrap = partition_of(ACCOUNT, PARTITIONS), system.settings.kafka_bootstrap_servers
    record = raw_batches.record(0, ACCOUNT.encode(), account, [(BAD_NAME, None)])
    await raw_batches.write(bootstrap, system.names.accounts, [(home, raw_batches.batch([record]))])
    for place, case in enumerate(CASES.values()):
        written.add(case, place)
    offsets = await raw_batches.write(bootstrap, system.names.usage, written.batches)

    await system.shows(Counter({(ACCOUNT, METER): written.units}))

    assert process.popen.poll() is None, process.output
    assert await find_account(system.ledger.shard(home), ACCOUNT) == account
    letters = system.dead_letters()
    for (name, case), (partition, _), first in zip(CASES.items(), written.batches, offsets, strict=True):
        origin = (system.names.usage.encode(), str(partition).encode(), str(first + 1).encode())
        letter = letters.pop(origin, None)
        assert (letter is None) == (case.reason is None), name
        if letter is not None and case.reason is not None:
            assert letter["dlq.reason"] == case.reason.value.encode(), name
            assert left_out(letter) == case.left_out, name
            assert letter[""] == (b"" if case.value is None or "value" in case.left_out else case.value), name
    assert not letters
    assert {"dlq.headers.renamed", "dlq.value"} <= {name for each in system.dead_letters().values() for name in each}
