"""The product with one guard taken out: what the simulation must notice.

A mutant that no longer fits the product's source fails at once, so that none of them dies quietly.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha1
from types import ModuleType
from typing import Any
from unittest.mock import patch

import aggregator.chains
import ledger.push_fold
import ledger.reading
import ledger.ready
import ledger.usage
import metering.push_fold
import stripe_sync.sending.sender
from aggregator.folds.usage import UsageFold
from aggregator.publisher import Message
from ledger.answer import Answer
from ledger.reading import NotReadyError
from ledger.script import Script
from metering.counting import UsageBatch
from metering.dedupe import DedupeWindow
from metering.push_fold import InFlight
from metering.push_log import RetryOrder, encode
from metering.row import Row
from stripe_sync.push_log.folder import Moment
from stripe_sync.shard.worker import ShardWorker
from tests.simulation.scenario import Hazard, Scenario

Mutant = Callable[[], Any]
MUTANTS: dict[str, tuple[Mutant, Scenario]] = {}

STORMY = Scenario(hazards=frozenset())
FORGETFUL = replace(STORMY, violence=0.05, disasters=("flush_behind_a_back", "rebalance", "flush"))
LAGGING = replace(STORMY, violence=0.05, disasters=("take_snapshot", "fail_over"))
SLEEPY = replace(STORMY, violence=0.2, disasters=("sleepwalk", "sleep_for_hours", "rebalance"))
PILED_UP = replace(STORMY, violence=0.05, late_appends=0.3, stripe_leg=1.0, disasters=("rebalance",), backlog=True)
CARED_FOR = replace(
    STORMY,
    violence=0.2,
    late_appends=0.2,
    disasters=("sleep_for_hours", "sleepwalk", "rebalance"),
    backlog=True,
    desks=2,
)
WELL_CARED_FOR = replace(CARED_FOR, desks=4)
HASTY = replace(STORMY, violence=0.05, disasters=("rebalance",), backlog=False, desks=2)
OVERDUE = replace(STORMY, violence=0.6, disasters=("sleep_for_hours", "take_server_away"), backlog=True)
TORN = replace(STORMY, violence=0.05, disasters=("rebalance",), hazards=frozenset({Hazard.LOST_USAGE}))


def _script(module: ModuleType, name: str, *changes: tuple[str, str]) -> Any:
    """The module's script with some of its source exchanged."""
    script: Script = getattr(module, name)
    source = script.source
    for old, new in changes:
        assert source.count(old) == 1, f"{script.name}.lua has {source.count(old)} times: {old}"
        source = source.replace(old, new)
    sha = sha1(source.encode(), usedforsecurity=False).hexdigest()
    return patch.object(module, name, Script(script.name, source, sha))


class PutOff:
    """A publisher that writes nothing yet."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        """Keeps them."""
        self.messages += messages


def mutant(scenario: Scenario = STORMY) -> Callable[[Mutant], Mutant]:
    """Enters a mutant under its function's name, with the storm that asks for the guard it lacks."""

    def enter(make: Mutant) -> Mutant:
        MUTANTS[make.__name__] = (make, scenario)
        return make

    return enter


@mutant()
def usage_fence_is_not_checked() -> Any:
    """A batch is counted wherever the shard stands."""
    return _script(ledger.usage, "_APPLY", ("if fence ~= ARGV[1] then", "if false then"))


@mutant()
def only_the_current_block_is_looked_up() -> Any:
    """Duplicates of last week are counted."""
    return patch.object(DedupeWindow, "earlier", lambda self, block: {})


@mutant()
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
        await self._folder.append(encode(prepared))
        return True

    return patch.object(ShardWorker, "_plan", plan)


@mutant()
def a_month_does_not_note_its_changes() -> Any:
    """Whoever has read before is told that nothing was counted since."""
    return _script(ledger.usage, "_APPLY", ("add(key, n, 1 - 2 * month)", "add(key, n, 1)"))


@mutant(FORGETFUL)
def ready_ignores_the_incarnation() -> Any:
    """A flushed shard is marked by who noted it before."""
    return _script(ledger.ready, "_MARK", (" or redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[3]", ""))


@mutant(LAGGING)
def ready_ignores_the_replication_id() -> Any:
    """Readers see a shard of which an older replica has taken over."""
    old = "redis.call('HGET', KEYS[1], 'ready') ~= master"
    return _script(ledger.reading, "_READ_USAGE", (old, "not redis.call('HGET', KEYS[1], 'ready')"))


@mutant(SLEEPY)
def old_rows_are_sent_blindly() -> Any:
    """The 22 hours are forgotten."""
    return patch.object(stripe_sync.sending.sender, "RESEND_SECONDS", 10**9)


@mutant(SLEEPY)
def the_window_is_not_checked() -> Any:
    """Who wakes after hours sends what it was about to send."""
    return patch.object(stripe_sync.sending.sender, "WINDOW_SECONDS", 10**9)


@mutant(PILED_UP)
def held_rows_are_not_checked() -> Any:
    """A row is accepted whatever is unresolved."""
    return _script(ledger.push_fold, "_PREPARED", ("held ~= true and not held[1] and not held[2] and fits", "fits"))


@mutant(OVERDUE)
def minutes_do_not_conflict() -> Any:
    """Two unresolved rows of one customer, meter and minute: no summary tells them apart."""

    @contextmanager
    def apart() -> Iterator[None]:
        minute = Row.minute_key.fget  # type: ignore[attr-defined]
        assert minute is not None
        with patch.object(Row, "minute_key", property(lambda row: f"{minute(row)}|{row.hour}")):
            yield

    return apart()


@mutant()
def a_prepared_does_not_wait_for_its_count() -> Any:
    """The push log is folded before the usage log has reached its rows."""
    line = "if tonumber(usage or '0') < tonumber(ARGV[4]) then return {'WAIT', fence} end"
    return _script(ledger.push_fold, "_PREPARED", (line, ""))


@mutant()
def dead_letters_follow_the_fence() -> Any:
    """The fence passes a reject whose dead letter is not written yet."""
    apply_batch = UsageFold._apply_batch

    async def apply_first(self: UsageFold, batch: UsageBatch) -> Answer:
        publisher, put_off = self._publisher, PutOff()
        self._publisher = put_off
        try:
            answer = await apply_batch(self, batch)
        finally:
            self._publisher = publisher
        await publisher.publish(put_off.messages)
        return answer

    return patch.object(UsageFold, "_apply_batch", apply_first)


@mutant()
def an_identifier_leaves_out_the_units() -> Any:
    """Two rows of one bucket have one identifier."""

    def identifier(self: Row, namespace: str) -> str:
        return sha1(f"{namespace}|{self.bucket_key}|{self.timestamp}".encode()).hexdigest()  # noqa: S324

    return patch.object(Row, "identifier", identifier)


@mutant(HASTY)
def orders_do_not_wait() -> Any:
    """A row is replaced, or parked, before summaries can be believed about it."""
    return patch.object(metering.push_fold, "QUIET_MS", 0)


@mutant(CARED_FOR)
def a_retried_row_is_young_again() -> Any:
    """Its age is counted from the order: what Stripe has forgotten is sent blindly."""

    async def retry(place: Any, order: RetryOrder) -> Answer:
        entry = await ledger.push_fold._read_parked(place, order.identifier)
        if isinstance(entry, Answer):
            return entry
        keys, again = place.shard.keys, ""
        if entry is not None:
            again = InFlight(row=entry.row, prepared_ms=place.mark.append_ms).model_dump_json()
        return await place.run(ledger.push_fold._RETRY, [keys.in_flight, keys.parked], [order.identifier, again])

    return patch.object(ledger.push_fold, "_fold_retry", retry)


@mutant(WELL_CARED_FOR)
def a_parked_row_is_parked_again() -> Any:
    """A second order to park takes its units away a second time."""
    return _script(ledger.push_fold, "_PARK", ("not ended and not held[1] and not held[2] and", ""))


@mutant(TORN)
def a_log_is_not_recognised() -> Any:
    """A log that was lost and has grown again is counted on."""
    return patch.object(aggregator.chains, "check_mark", lambda *_, **__: None)


@contextmanager
def living(name: str) -> Iterator[Scenario]:
    """The product with one guard less, and the storm that it should not survive."""
    make, scenario = MUTANTS[name]
    with make():
        yield scenario
