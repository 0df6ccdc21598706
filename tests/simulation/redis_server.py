"""The one real server: a private Redis that runs the real scripts, and the disasters that can befall it.

Calls are made synchronously while a simulated request is being served, so that a seed replays exactly. Kept by its
settings: small hashes are listpacks, whose order is that of insertion and not of a random hash seed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, ResponseError

from ledger.keys import ShardKeys
from ledger.reading import _IS_READY
from ledger.script import Script
from ledger.state import Log
from local.servers.redis import embedded_redis
from tests.simulation.network import Network
from tests.simulation.shown import Shown
from tests.simulation.trace import Trace
from tests.simulation.weather import Server

SETTINGS = {"appendonly": "no", "hash-max-listpack-entries": "100000", "hash-max-listpack-value": "100000"}
OTHER_DATABASE, BALLAST_BYTES = 9, 1 << 20
SPOKEN_OF = {
    *("apply_usage", "drop_keys", "fold_table", "mark_ready", "read_usage"),
    *("fold_prepared", "fold_settled", "fold_retry", "fold_reissue", "fold_write_off", "fold_park"),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A whole server at one moment: what a lagging replica has, or an older RDB; and how long each key has to live."""

    keys: dict[bytes, bytes]
    left_ms: dict[bytes, int]


class RedisMachine:
    """The server as an operator, a failover or a disaster sees it."""

    def __init__(self, client: Any) -> None:
        """`client` is redis-py's synchronous one. `damaged`: it may have lost some of what it holds, unasked."""
        self.client = client
        self.damaged = False
        for name, value in SETTINGS.items():
            client.config_set(name, value)

    def begin(self) -> None:
        """As it is when a seed begins: empty, and nothing is known of another one."""
        self.damaged = False
        self.flush()
        self.client.config_resetstat()
        self.keep_all()

    def flush(self) -> None:
        """FLUSHALL: nothing is left, and the replication id stays."""
        self.client.flushall(asynchronous=False)

    def snapshot(self) -> Snapshot:
        """Everything, as it is now."""
        names = self.client.keys()
        pipeline = self.client.pipeline(transaction=False)
        for name in names:
            pipeline.dump(name)
        return Snapshot(dict(zip(names, pipeline.execute(), strict=True)), self._mortal())

    def fail_over(self, replica: Snapshot) -> None:
        """A replica that lagged takes over: older data under a new replication id, which the server itself draws."""
        pipeline = self.client.pipeline(transaction=False)
        pipeline.flushall(asynchronous=False)
        for name, value in replica.keys.items():
            pipeline.restore(name, replica.left_ms.get(name, 0), value)
        pipeline.execute_command("REPLICAOF", "127.0.0.1", "1")  # nobody listens there
        pipeline.execute_command("REPLICAOF", "NO", "ONE")
        pipeline.config_resetstat()  # it is another server, which has evicted nothing
        pipeline.execute()

    def _mortal(self) -> dict[bytes, int]:
        """The keys that have a time to live, and the milliseconds that are left of it."""
        names = sorted(self.client.keys())
        pipeline = self.client.pipeline(transaction=False)
        for name in names:
            pipeline.pttl(name)
        return {name: left_ms for name, left_ms in zip(names, pipeline.execute(), strict=True) if left_ms > 0}

    def jump_ahead(self) -> int:
        """The server's clock is far ahead for a moment: every key that has a time to live is gone. Gives how many."""
        mortal = self._mortal()
        return int(self.client.delete(*mortal)) if mortal else 0

    def evict(self, policy: str, chosen: Callable[[list[bytes]], list[bytes]]) -> int:
        """The server is told to evict, and does; gives how many keys are gone.

        Which ones is the seed's to say: by itself the server would draw them. So it evicts a key that was made for it,
        the first to expire, which moves its count of evicted keys; and those that were chosen go with it.
        """
        self.client.select(OTHER_DATABASE)
        self.client.set("ballast", bytes(BALLAST_BYTES), ex=1)
        self.client.config_set("maxmemory-policy", "volatile-ttl")
        self.client.config_set("maxmemory", self.client.info("memory")["used_memory"] - BALLAST_BYTES // 2)
        self.client.exists("ballast")  # any command: the server looks at its memory first
        self.client.select(0)
        self.client.config_set("maxmemory", 0)
        self.client.config_set("maxmemory-policy", policy)
        mortal = self._mortal()
        keys = [name for name in sorted(self.client.keys()) if policy.startswith("allkeys") or name in mortal]
        gone = chosen(keys)
        self.damaged = True
        return int(self.client.delete(*gone)) if gone else 0

    def keep_all(self) -> None:
        """Somebody has seen it, and set the policy back."""
        self.client.config_set("maxmemory-policy", "noeviction")

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

    def readable(self, shards: Iterable[str]) -> dict[str, int]:
        """The usage fences of those fences hashes that let readers in."""
        return {shard: int(self.client.hget(shard, "usage")) for shard in shards if self.is_readable(shard)}

    def is_readable(self, shard: str) -> bool:
        """Whether a fences hash lets readers in, in the product's own words."""
        reply = self.client.eval(_IS_READY.source, 1, shard)
        return reply is not None and reply != [b"NOT_READY"]

    def fence(self, keys: ShardKeys, log: Log) -> int:
        """Where a log's fold stands."""
        return int(self.client.hget(keys.fences, log.value) or 0)

    def clear(self, keys: ShardKeys) -> None:
        """What `billing rebuild` does with a shard, in one moment."""
        self.client.delete(*self.client.keys(f"{keys.fences.removesuffix('f')}*"), keys.fences)

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
        if script.name == "read_accounts" and reply[0] == b"FOUND":
            self._shown.told(self._who, dict(zip(map(str, args), reply[1], strict=True)))
        read = script.name == "read_usage" and reply[0] in {b"USAGE", b"SAME"}
        if read:
            _, _, version, *units = self._evaluate(script, keys, [*args[:2], "", *args[3:]])  # as if nothing was known
            self._shown.has_version((*keys, *args[4:], version), units)
        if read or (reply == b"READY" and args[0] == "ready"):
            fence = int(self._client.hget(keys[0], "usage") or 0)
            self._shown.is_readable(keys[0], fence)
            if read:
                self._shown.is_fresh(keys[0], fence, int(reply[1]))
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
