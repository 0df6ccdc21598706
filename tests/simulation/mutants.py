"""The product with one guard taken out: what the simulation must notice.

A mutant that no longer fits the product's source fails at once, so that none of them dies quietly.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha1
from types import ModuleType
from typing import Any
from unittest.mock import patch

import aggregator.usage_fold
import ledger.pushes
import ledger.reading
import ledger.ready
import ledger.usage
import stripe_sync.sender
from aggregator.usage_fold import UsageFold
from ledger.reading import NotReadyError
from ledger.script import Script
from metering.dedupe import DedupeWindow
from metering.push_log import InFlight, encode
from metering.row import Row
from stripe_sync.folder import Moment
from stripe_sync.shard_worker import ShardWorker

Mutant = Callable[[], Any]
MUTANTS: dict[str, Mutant] = {}


def _script(module: ModuleType, name: str, *changes: tuple[str, str]) -> Any:
    """The module's script with some of its source exchanged."""
    script: Script = getattr(module, name)
    source = script.source
    for old, new in changes:
        assert source.count(old) == 1, f"{script.name}.lua has {source.count(old)} times: {old}"
        source = source.replace(old, new)
    sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
    return patch.object(module, name, Script(script.name, source, sha))


def mutant(make: Mutant) -> Mutant:
    """Enters a mutant under its function's name."""
    MUTANTS[make.__name__] = make
    return make


@mutant
def usage_fence_is_not_checked() -> Any:
    """A batch is counted wherever the shard stands."""
    return _script(ledger.usage, "_APPLY", ("if fence ~= ARGV[1] then", "if false then"))


@mutant
def only_the_current_block_is_looked_up() -> Any:
    """Duplicates of last week are counted."""
    return patch.object(DedupeWindow, "earlier", lambda self, block: {})


@mutant
def rows_are_sent_before_the_log_is_read_back() -> Any:
    """A worker trusts what it has just appended."""

    async def plan(self: ShardWorker) -> bool:
        try:
            prepared = await self._planner.plan()
        except NotReadyError:
            return False
        if prepared is None:
            return False
        now_ms = self._clock.now_ms()
        rows = {row.identifier(self._identity.namespace): row for row in prepared.rows}
        entries = {name: InFlight(row=row, prepared_ms=now_ms) for name, row in rows.items()}
        await self._start_sending(entries, Moment(now_ms, self._clock.monotonic()))
        await self._log.append(self._shard.number, encode(prepared))
        return True

    return patch.object(ShardWorker, "_plan", plan)


@mutant
def ready_ignores_the_incarnation() -> Any:
    """A flushed shard is marked by who noted it before."""
    line = "if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[3] then return 'CHANGED' end"
    return _script(ledger.ready, "_MARK", (line, ""))


@mutant
def ready_ignores_the_replication_id() -> Any:
    """Readers see a shard of which an older replica has taken over."""
    old = "fences[1] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')"
    return _script(ledger.reading, "_READ_USAGE", (old, "not fences[1]"))


@mutant
def old_rows_are_sent_blindly() -> Any:
    """The 22 hours are forgotten."""
    return patch.object(stripe_sync.sender, "RESEND_SECONDS", 10**9)


@mutant
def the_window_is_not_checked() -> Any:
    """Who wakes after hours sends what it was about to send."""
    return patch.object(stripe_sync.sender, "WINDOW_SECONDS", 10**9)


@mutant
def held_rows_are_not_checked() -> Any:
    """A row is accepted whatever is unresolved."""
    return _script(
        ledger.pushes, "_PREPARED", ("held ~= true and not held[1] and not held[2] and from", "from")
    )


@mutant
def minutes_do_not_conflict() -> Any:
    """Two unresolved rows of one customer, meter and minute: no summary tells them apart."""

    @contextmanager
    def apart() -> Iterator[None]:
        minute = Row.minute_key.fget  # type: ignore[attr-defined]
        assert minute is not None
        with patch.object(Row, "minute_key", property(lambda row: f"{minute(row)}|{row.hour}")):
            yield

    return apart()


@mutant
def a_prepared_does_not_wait_for_its_count() -> Any:
    """The push log is folded before the usage log has reached its rows."""
    line = "if tonumber(fences[2] or '0') < tonumber(ARGV[3]) then return {'WAIT', fences[1]} end"
    return _script(ledger.pushes, "_PREPARED", (line, ""))


@mutant
def dead_letters_follow_the_fence() -> Any:
    """The fence passes a reject whose dead letter is not written yet."""

    async def apply_batch(self: UsageFold, batch: Any) -> Any:
        answer = await aggregator.usage_fold.apply_usage(self._shard, batch, self._window)
        if answer.applied:
            remembered = sum(len(group.members) for group in batch.groups.values()) - answer.value
            self._high_ms = batch.high_ms
            self._window.remember(batch.block, remembered)
            if outgoing := self._outgoing(batch):
                await self._publisher.publish(outgoing)
        return answer

    return patch.object(UsageFold, "_apply_batch", apply_batch)


@mutant
def an_identifier_leaves_out_the_units() -> Any:
    """Two rows of one bucket have one identifier."""

    def identifier(self: Row, namespace: str) -> str:
        return sha1(f"{namespace}|{self.bucket_key}|{self.timestamp}".encode()).hexdigest()  # noqa: S324

    return patch.object(Row, "identifier", identifier)


def one_at_a_time() -> list[str]:
    """The mutants' names."""
    return list(MUTANTS)


@contextmanager
def living(name: str) -> Iterator[None]:
    """The product with one guard less."""
    with ExitStack() as stack:
        stack.enter_context(MUTANTS[name]())
        yield
