"""A running platform: topics, its own Redis, one real aggregator, and the `billing` command for them."""

import asyncio
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
from confluent_kafka import Producer
from redis.asyncio import Redis
from typer.testing import CliRunner, Result

from ledger.reading import find_account, is_ready, read_usage
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import Log, read_state
from metering.meters import CATALOGUE
from metering.partition import partition_of
from metering.rfc3339 import from_unix
from metering.span import span_of
from ops.cli import app
from ops.logs.dead_letters import DeadLetter, read_dead_letters
from ops.logs.reader import LogReader
from ops.logs.settings import TableSettings
from runtime.topics import TopicNames
from tests.support.eventually import eventually

PARTITIONS = 3
FOLD_SECONDS = 40.0
DAY = 86_400


def event(account: str, name: str, **changes: object) -> dict[str, Any]:
    """A usage event of now; a change to None leaves the attribute out."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": name,
        "source": f"/test/{account}",
        "type": "sms.send",
        "subject": account,
        "time": from_unix(int(time.time())),
    } | changes
    return {key: value for key, value in attributes.items() if value is not None}


def write_lines(path: Path, values: Sequence[Mapping[str, Any] | str]) -> Path:
    """A file of events; a text is a line as it is."""
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in values))
    return path


@dataclass
class ReplayHouse:
    """Tests share it: they have their own accounts, with sources named after them."""

    settings: TableSettings
    env: Mapping[str, str]
    aggregators: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def names(self) -> TopicNames:
        """The topics."""
        return TopicNames(self.settings.topic_prefix)

    def start(self, log: Path) -> None:
        """Starts an aggregator."""
        argv = [sys.executable, "-m", "aggregator"]
        with log.open("wb") as output:
            self.aggregators.append(subprocess.Popen(argv, env=self.process_env(), stdout=output, stderr=output))

    def process_env(self) -> dict[str, str]:
        """The environment of a process of this platform."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("BILLING_")}
        return clean | dict(self.env)

    def new_account(self) -> str:
        """An account that no other test has."""
        return f"acct-{uuid.uuid4().hex[:12]}"

    def billing(self, *arguments: str | Path) -> Result:
        """Runs the command in this process."""
        return CliRunner().invoke(app, [str(each) for each in arguments], env=dict(self.env))

    def done(self, *arguments: str | Path) -> str:
        """The command's standard output; it must succeed."""
        result = self.billing(*arguments)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.stdout

    def json(self, *arguments: str | Path) -> Any:
        """The command's JSON answer, whatever its exit code."""
        result = self.billing(*arguments, "--json")
        assert result.stdout, (result.output, result.exception)
        return json.loads(result.stdout)

    def publish(self, *values: Mapping[str, Any] | bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
        """Writes records to the usage log, each keyed by its account."""
        producer = Producer(
            {"bootstrap.servers": self.settings.kafka_bootstrap_servers, "partitioner": "murmur2_random"}
        )
        for value in values:
            body = value if isinstance(value, bytes) else json.dumps(value).encode()
            key = None if isinstance(value, bytes) else str(value.get("subject", ""))
            producer.produce(self.names.usage, body, key, headers=list(headers))
        assert producer.flush(30) == 0

    def ends(self) -> dict[int, int]:
        """The end offsets of the usage log."""
        with LogReader(self.settings) as reader:
            return {partition: held.end for partition, held in reader.bounds(self.names.usage).items()}

    def wait_folded(self) -> None:
        """Returns once all shards are ready and have folded the usage log up to its end at the time of the call."""
        ends = self.ends()
        eventually(lambda: asyncio.run(self._folded(ends)), FOLD_SECONDS, "the fold")

    def totals(self, account: str) -> dict[str, int]:
        """The account's units by meter, once all is folded."""
        self.wait_folded()
        return asyncio.run(self._totals(account))

    def flush_redis(self) -> None:
        """FLUSHALL."""
        with redis.Redis.from_url(self.settings.redis_url) as client:
            client.flushall()

    def letters(self, account: str, count: int) -> list[DeadLetter]:
        """The letters of the account's source, open or not, once there are as many as expected."""

        def found() -> list[DeadLetter] | None:
            letters = read_dead_letters(self.settings).letters.values()
            mine = [each for each in letters if each.source == f"/test/{account}"]
            assert len(mine) <= count, mine
            return mine if len(mine) == count else None

        return eventually(found, FOLD_SECONDS, f"{count} letters") or []

    def records(self, account: str) -> list[tuple[int, Any]]:
        """Partition and record of everything in the usage log that is keyed by the account."""
        with LogReader(self.settings) as reader:
            return [
                (partition, record)
                for partition, held in reader.bounds(self.names.usage).items()
                for records in reader.read(self.names.usage, partition, held.earliest, held.end)
                for record in records
                if record.key == account.encode()
            ]

    async def _folded(self, ends: Mapping[int, int]) -> bool:
        async with Redis.from_url(self.settings.redis_url) as client:
            for number, end in ends.items():
                shard = self._ledger(client).shard(number)
                if (await read_state(shard)).fences.get(Log.USAGE, 0) < end or not await is_ready(shard):
                    return False
            return True

    async def _totals(self, account: str) -> dict[str, int]:
        async with Redis.from_url(self.settings.redis_url) as client:
            shard = self._ledger(client).shard(partition_of(account, PARTITIONS))
            hour = int(time.time()) // 3600
            record = await find_account(shard, account)
            found = await read_usage(shard, account, record, span_of(range(hour - 60 * 24, hour + 2)))
        return {meter.name: units for meter, units in zip(CATALOGUE, found.units, strict=True) if units}

    def _ledger(self, client: Redis) -> Ledger:
        return Ledger(RedisStore(client), self.settings.redis_prefix, PARTITIONS)
