"""The real process over logs that a disk has spoiled, or that hold a bomb: one log stops, and all others go on."""

import gzip
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.state import Log, read_state
from local.servers.kafka import KafkaServer
from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from tests.aggregator.system import PARTITIONS, Process, System, running_system
from tests.metering.events import attributes
from tests.support import raw_batches
from tests.support.damage import damage
from tests.support.eventually import eventually_async

MIB = 1024 * 1024
METER = CATALOGUE[0].name
# An account of each shard: one whose log is damaged, one whose log has a bomb, one whose log is well.
DAMAGED, BOMBED, WELL = (
    next(name for name in (f"acct-{number}" for number in range(99)) if partition_of(name, PARTITIONS) == shard)
    for shard in range(PARTITIONS)
)


@pytest.fixture
async def system(own_kafka: KafkaServer, redis_url: str, redis_prefix: str, tmp_path: Path) -> AsyncIterator[System]:
    """On a Kafka whose disk can be reached; no process yet."""
    async with running_system(own_kafka.bootstrap_servers, "", redis_url, redis_prefix, tmp_path) as system:
        yield system


def events(account: str, count: int) -> bytes:
    """A batch of events, of one unit each."""
    changes = {"subject": account, "time": from_unix(int(time.time()))}
    values = [json.dumps(attributes(id=uuid.uuid4().hex, **changes)).encode() for _ in range(count)]
    return raw_batches.batch([raw_batches.record(place, b"key", value) for place, value in enumerate(values)])


def unknown_codec(raw: bytearray) -> bytearray:
    """What no client can unpack, whole as it is."""
    raw[raw_batches.ATTRIBUTES_AT + 1] = 5
    return raw_batches.with_crc(raw)


def peak_mib(process: Process) -> int:
    """The most memory that a process has ever had; 0 where the system does not tell."""
    status = Path(f"/proc/{process.popen.pid}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")), 0)


async def test_a_batch_that_can_not_be_read_stops_its_own_log(system: System, own_kafka: KafkaServer) -> None:
    """What lies before it is counted, and nothing behind it; the others' usage is counted as it comes."""
    bomb = raw_batches.batch([raw_batches.record(0, b"key", bytes(256 * MIB))], 1, gzip.compress)
    usage, logs = system.names.usage, enumerate((DAMAGED, BOMBED, WELL))
    written = [(shard, events(account, 10)) for shard, account in logs for _ in range(3)]
    bootstrap = system.settings.kafka_bootstrap_servers
    await raw_batches.write(bootstrap, usage, [*written[:4], (1, bomb), *written[4:]])
    damage(own_kafka, usage, 0, 20, unknown_codec)
    process = system.start()

    async def counted(units: dict[str, int]) -> bool:
        states = [await read_state(system.ledger.shard(shard)) for shard in range(PARTITIONS)]
        return [state.conservation.counted for state in states] == list(units.values())

    async def first() -> bool:
        return await counted({DAMAGED: 20, BOMBED: 10, WELL: 30})

    async def then() -> bool:
        return await counted({DAMAGED: 20, BOMBED: 10, WELL: 130})

    await eventually_async(first, 40, f"what lies before; {process.output}")
    await raw_batches.write(bootstrap, usage, [(2, events(WELL, 10)) for _ in range(10)])
    await eventually_async(then, 40, f"what came since; {process.output}")

    assert process.popen.poll() is None, process.output
    fences = [(await read_state(system.ledger.shard(shard))).fences[Log.USAGE] for shard in range(PARTITIONS)]
    assert fences == [20, 10, 130]
    assert peak_mib(process) < 400
