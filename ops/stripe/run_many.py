"""Gives many orders: a portion at a time, and the next portion only after the fold of the last one.

The Stripe worker looks at all rows in flight again and again, so only a limited number is put in flight at once. If a
person ends the command in between, nothing is lost: rows without an order stay parked.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TypeVar

import stripe

from ledger.pushes import read_accepted, read_held, read_parked
from ledger.status import read_status
from metering.account import Account
from metering.push_log import ReissueOrder, RetryOrder, WriteOffOrder
from metering.row import Row
from ops.console.errors import OpsError
from ops.stripe.desk import Asking, Desk
from ops.stripe.parked import ParkedRow, parked_rows
from ops.stripe.plan import (
    Change,
    Choice,
    Plan,
    by_customer,
    changed_row,
    check_absent,
    check_quiet,
    check_sole,
    next_round,
    plan_each,
)
from ops.stripe.run import Signed, find_parked
from stripe_sync.reconcile.service import QUESTIONS_PER_SECOND
from stripe_sync.reconcile.shard import LANES_AT_ONCE
from stripe_sync.stripe_api.rate import RateShare

AT_ONCE = 500  # orders of one shard
PATIENCE_SECONDS = 60.0  # seconds in which no row in flight is settled
LOOK_SECONDS = 0.2  # seconds between two looks
NOT_TAKEN = "the push log's fold refused the order: something came in between"

Item = TypeVar("Item")


@dataclass(slots=True)
class BulkOutcome:
    """The result of many orders: `rows` and `units` ordered, rows `left` by reason, and why it `ended` early."""

    rows: int = 0
    units: int = 0
    left: Counter[str] = field(default_factory=Counter)
    ended: str | None = None

    def took(self, row: Row) -> None:
        """Adds a row that was ordered."""
        self.rows += 1
        self.units += row.value


class Clerk:
    """Gives the orders of one command; `progress` takes the number of rows that are done."""

    def __init__(self, desk: Desk, signed: Signed, progress: Callable[[int], None]) -> None:
        self._desk = desk
        self._signed = signed
        self._progress = progress
        self._done = 0
        self._rate = RateShare(QUESTIONS_PER_SECOND, partitions=1)
        self.outcome = BulkOutcome()

    async def write_off(self, rows: Sequence[ParkedRow]) -> None:
        """Gives the rows up."""
        for shard, some in _portions(rows):
            who, why = self._signed.who, self._signed.why
            await self._desk.order(shard, [WriteOffOrder(who=who, why=why, identifier=row.identifier) for row in some])
            await self._account_for(shard, some)

    async def retry(self, rows: Sequence[ParkedRow]) -> None:
        """Sends the rows again as they are."""
        for shard, some in _portions(rows):
            if not await self._room(shard, AT_ONCE):
                return
            who, why = self._signed.who, self._signed.why
            await self._desk.order(shard, [RetryOrder(who=who, why=why, identifier=row.identifier) for row in some])
            await self._account_for(shard, some)

    async def reissue(self, steps: Sequence[tuple[ParkedRow, Row]]) -> None:
        """Replaces the first row of every pair by the second, if Stripe's summary shows that the first is absent."""
        asking = await self._desk.asking()
        for shard, some in groupby(sorted(steps, key=lambda step: step[0].shard), lambda step: step[0].shard):
            waiting = list(some)
            while waiting:
                if not await self._room(shard, AT_ONCE):
                    return
                in_flight = await self._in_flight(shard)
                chosen = next_round(waiting, await self._held(shard, waiting), AT_ONCE)
                if not chosen and in_flight:
                    if not await self._room(shard, in_flight):
                        return
                    continue
                if not chosen:
                    self._leave(len(waiting), "a row that waits for a person holds the minute that it would go to")
                    break
                names = {old.identifier for old, _ in chosen}
                waiting = [step for step in waiting if step[0].identifier not in names]
                await self._replace(shard, chosen, asking)

    async def _held(self, shard: int, waiting: Sequence[tuple[ParkedRow, Row]]) -> dict[str, str]:
        held, minutes = dict[str, str](), list({new.minute_key for _, new in waiting})
        for first in range(0, len(minutes), AT_ONCE):
            held |= await read_held(self._desk.shards[shard], minutes[first : first + AT_ONCE])
        return held

    async def _replace(self, shard: int, chosen: Sequence[tuple[ParkedRow, Row]], asking: Asking) -> None:
        absent = list[tuple[ParkedRow, Row]]()
        for first in range(0, len(chosen), LANES_AT_ONCE):
            some = chosen[first : first + LANES_AT_ONCE]
            answers = await asyncio.gather(*(self._is_absent(old, asking) for old, _ in some))
            absent += [step for step, is_absent in zip(some, answers, strict=True) if is_absent]
        if not absent:
            return
        identity, now_ms = await self._desk.identity(shard), self._desk.now_ms()
        orders = [
            ReissueOrder(
                who=self._signed.who,
                why=self._signed.why,
                old=old.identifier,
                parked_ms=old.entry.parked_ms,
                namespace=identity.namespace,
                row=new,
                planned_ms=now_ms,
            )
            for old, new in absent
        ]
        await self._desk.order(shard, orders)
        await self._account_for(shard, [old for old, _ in absent])

    async def _is_absent(self, old: ParkedRow, asking: Asking) -> bool:
        await self._rate.admit()
        try:
            held = await asking.held(old.entry.row)
            without = await read_accepted(self._desk.shards[old.shard], old.entry.row, old.identifier)
            if without is not None:
                check_absent(old.entry, without, held)
        except (OpsError, stripe.StripeError) as error:
            self._leave(1, str(error))
            return False
        if without is None:
            self._leave(1, NOT_TAKEN)
        return without is not None

    async def _account_for(self, shard: int, rows: Sequence[ParkedRow]) -> None:
        """Counts the ordered rows. If a row is still parked without a change, the fold has refused its order."""
        parked = await read_parked(self._desk.shards[shard], [row.identifier for row in rows])
        for row in rows:
            again = parked.get(row.identifier)
            if again == row.entry:
                self.outcome.left[NOT_TAKEN] += 1
            elif again is not None:
                self.outcome.left[f"parked again ({again.reason})"] += 1
            else:
                self.outcome.took(row.entry.row)
        self._done += len(rows)
        self._progress(self._done)

    def _leave(self, rows: int, why: str) -> None:
        self.outcome.left[why] += rows
        self._done += rows
        self._progress(self._done)

    async def _in_flight(self, shard: int) -> int:
        return (await read_status(self._desk.shards[shard])).in_flight

    async def _room(self, shard: int, most: int) -> bool:
        """Waits until fewer than `most` rows are in flight; returns False if no row is settled for a minute."""
        deadline, before = time.monotonic() + PATIENCE_SECONDS, None
        while (in_flight := await self._in_flight(shard)) >= most:
            self._progress(self._done)
            if in_flight != before:
                deadline, before = time.monotonic() + PATIENCE_SECONDS, in_flight
            if time.monotonic() > deadline:
                self.outcome.ended = (
                    f"shard {shard}: {in_flight} rows are on their way to Stripe, and none of them has arrived for "
                    f"{PATIENCE_SECONDS:.0f} s: billing status says why. Give the rest of the orders once they have"
                )
                return False
            await asyncio.sleep(LOOK_SECONDS)
        return True


async def chosen_rows(desk: Desk, choice: Choice) -> list[ParkedRow]:
    """Returns the parked rows that the choice selects.

    Raises:
        OpsError: no row has the identifier.
    """
    if choice.identifier is not None:
        return [await find_parked(desk, choice.identifier)]
    return [row for row in await parked_rows(desk.shards) if choice.takes(row.entry)]


async def plan_reissues(desk: Desk, rows: Sequence[ParkedRow], change: Change) -> Plan[Row]:
    """Plans the replacements, as far as possible without asking Stripe.

    Raises:
        OpsError: a shard is being folded, or Kafka does not answer.
    """
    claims, facts, now_ms = by_customer(desk.accounts()), dict[str, Account](), desk.now_ms()
    for shard, some in _portions(rows):
        facts |= await desk.facts(shard, {row.entry.row.account for row in some})

    def judge(row: ParkedRow) -> Row:
        old, grace = row.entry.row, desk.settings.finalization_grace_seconds
        new = changed_row(old, change, facts[old.account], now=now_ms // 1000, grace=grace)
        check_quiet(row.entry.parked_ms, now_ms, "parked")
        check_sole(claims.get(new.customer, {}), new.account, new.customer)
        return new

    return plan_each(rows, judge)


def _portions(rows: Sequence[ParkedRow]) -> Iterator[tuple[int, list[ParkedRow]]]:
    """Yields the rows shard by shard, at most `AT_ONCE` at a time."""
    for shard, some in groupby(sorted(rows, key=lambda row: row.shard), lambda row: row.shard):
        of_shard = list(some)
        for first in range(0, len(of_shard), AT_ONCE):
            yield shard, of_shard[first : first + AT_ONCE]
