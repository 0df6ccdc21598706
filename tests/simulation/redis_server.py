"""The one real server: a private Redis that runs the real scripts, and the disasters that can befall it.

Calls are made synchronously while a simulated request is being served, so that a seed replays exactly. Kept by its
settings: small hashes are listpacks, whose order is that of insertion and not of a random hash seed.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from ledger.script import Script
from local.servers.redis import embedded_redis
from tests.simulation.network import Network
from tests.simulation.shown import Shown
from tests.simulation.trace import Trace
from tests.simulation.weather import Server

SETTINGS = {"appendonly": "no", "hash-max-listpack-entries": "100000", "hash-max-listpack-value": "100000"}
SPOKEN_OF = {
    *("apply_usage", "drop_block", "fold_table", "mark_ready", "read_usage"),
    *("fold_prepared", "fold_settled", "fold_retry", "fold_reissue", "fold_write_off", "fold_park"),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole server at one moment: what a lagging replica has, or an older RDB."""

    keys: dict[bytes, bytes]


class RedisMachine:
    """The server as an operator, a failover or a disaster sees it."""

    def __init__(self, client: Any) -> None:
        """`client` is redis-py's synchronous one."""
        self.client = client
        for name, value in SETTINGS.items():
            client.config_set(name, value)

    def flush(self) -> None:
        """FLUSHALL: nothing is left, and the replication id stays."""
        self.client.flushall(asynchronous=False)

    def snapshot(self) -> Snapshot:
        """Everything, as it is now."""
        names = self.client.keys()
        pipeline = self.client.pipeline(transaction=False)
        for name in names:
            pipeline.dump(name)
        return Snapshot(dict(zip(names, pipeline.execute(), strict=True)))

    def fail_over(self, replica: Snapshot) -> None:
        """A replica that lagged takes over: older data under a new replication id, which the server itself draws."""
        pipeline = self.client.pipeline(transaction=False)
        pipeline.flushall(asynchronous=False)
        for name, value in replica.keys.items():
            pipeline.restore(name, 0, value)
        pipeline.execute_command("REPLICAOF", "127.0.0.1", "1")  # nobody listens there
        pipeline.execute_command("REPLICAOF", "NO", "ONE")
        pipeline.execute()

    def hashes(self, prefix: str, *without: str) -> dict[str, dict[str, bytes]]:
        """All hashes whose names begin with a prefix and not with one of the others, the prefix taken off."""
        names: list[bytes] = self.client.keys(f"{prefix}*")
        wanted = [name.decode() for name in names]
        wanted = [name for name in wanted if not name.removeprefix(prefix).startswith(without)]
        pipeline = self.client.pipeline(transaction=False)
        for name in wanted:
            pipeline.hgetall(name)
        found = zip(wanted, pipeline.execute(), strict=True)
        return {
            name.removeprefix(prefix): {field.decode(): value for field, value in fields.items()}
            for name, fields in found
        }

    def readable(self, shards: list[str]) -> dict[str, int]:
        """The usage fences of those fences hashes whose `ready` lets readers in."""
        replication_id, found = self.replication_id(), {}
        for shard in shards:
            ready, fence = self.client.hmget(shard, "ready", "usage")
            if ready == replication_id:
                found[shard] = int(fence)
        return found

    def replication_id(self) -> bytes:
        """What `ready` must equal."""
        return str(self.client.info("replication")["master_replid"]).encode()


class SimulatedStore:
    """A `ledger.script.Store` over the simulated network."""

    def __init__(self, machine: RedisMachine, network: Network, trace: Trace, shown: Shown, who: str) -> None:
        self._machine = machine
        self._client = machine.client
        self._shown = shown
        self._network = network
        self._trace = trace
        self._who = who

    async def run(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        """The script's reply; a connection error where nobody knows whether it ran, or will."""
        return await self._network.call(
            Server.REDIS, lambda: self._serve(script, keys, args), lambda: RedisConnectionError("the connection broke")
        )

    def _serve(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        try:
            reply = self._evaluate(script, keys, args)
        except ResponseError as error:
            self._trace.fail(f"{script.name} does not run: {error}")
        if script.name in SPOKEN_OF:
            self._trace.say(self._who, f"{script.name} {keys[0]} {_short(list(args[:1]))} -> {_short(reply)}")
        read = script.name == "read_usage" and reply[0] in {b"USAGE", b"SAME"}
        if read:
            _, _, version, *units = self._evaluate(script, keys, [*args[:2], "", *args[3:]])  # as if nothing was known
            self._shown.has_version((*keys, *args[4:], version), units)
        if read or (reply == b"READY" and args[0] == "ready"):
            self._shown.is_readable(keys[0], int(self._client.hget(keys[0], "usage") or 0))
        return reply

    def _evaluate(self, script: Script, keys: Sequence[str], args: Sequence[str | bytes | int]) -> Any:
        try:
            return self._client.execute_command("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:
            return self._client.execute_command("EVAL", script.source, len(keys), *keys, *args)


def _short(reply: Any) -> str:
    parts = reply if isinstance(reply, list) else [reply]
    return " ".join(part.decode() if isinstance(part, bytes) else repr(part) for part in parts)


@contextmanager
def private_redis(directory: Path) -> Iterator[RedisMachine]:
    """A Redis that nobody else uses."""
    server = embedded_redis(directory)
    try:
        server.start()
        with redis.Redis.from_url(server.url, single_connection_client=True) as client:
            yield RedisMachine(client)
    finally:
        server.kill()
