"""Compares two complete copies of the state with each other, without reading the log."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from ledger.counters import Counters, in_calls, read_counters
from ledger.shard import Shard
from ops.logs.append_time import append_ms_at
from ops.logs.reader import Bounds, LogReader
from ops.verify.against_log import CannotTellError, CounterKey, LogVerdict, Progress, counter_keys, usage_fence
from ops.verify.differences import VerifyScope, first_comparable_hour

MEET_SECONDS = 30.0  # seconds in which both copies must be seen at the same fence
LOOK_SECONDS = 0.01  # seconds between two looks
MOST_LOOKS = 100  # looks kept of a copy: one that is further behind can't be compared beside traffic


class CopyComparison:
    """Compares one shard of two copies, part by part, at a fence where both copies were seen.

    The expected counts in the verdict are those of the other copy.
    """

    def __init__(self, shards: tuple[Shard, Shard], reader: LogReader, topic: str) -> None:
        """`shards` are the copy in question and the other one."""
        self._shard, self._other = shards
        self._reader = reader
        self._topic = topic

    async def run(self, account: str | None, progress: Progress) -> LogVerdict:
        """Returns the verdict on all accounts of the shard, or on one.

        Raises:
            CannotTellError: a copy has no state, or the two never stood at the same fence.
        """
        number = self._shard.number
        own, other = await self._meet([])
        bounds = self._reader.bounds(self._topic)[number]
        verdict = LogVerdict(number, usage_fence(number, own.state), self._from_hour(bounds, own))
        if bounds.earliest == 0:
            verdict.conservation = (other.state.conservation, own.state.conservation)
        keys = await counter_keys(self._shard, account)
        others = await counter_keys(self._other, account)
        every = sorted({*keys.values(), *others.values()}, key=repr)
        by_name = {_name(self._shard, key): key for key in every}
        for chunk in in_calls(by_name):
            await self._compare(verdict, {name: by_name[name] for name in chunk})
            progress(f"shard {number}: {verdict.counters} of {len(by_name)} counters' hashes compared")
        return verdict

    def _from_hour(self, bounds: Bounds, own: Counters) -> int:
        first_ms = append_ms_at(self._reader, self._topic, self._shard.number, bounds) if bounds.earliest else None
        return first_comparable_hour(bounds.earliest, first_ms, own.state.high_ms)

    async def _compare(self, verdict: LogVerdict, keys: Mapping[str, CounterKey]) -> None:
        own, other = await self._meet(list(keys.values()))
        scope = VerifyScope(self._shard.number, verdict.from_hour)
        for name, key in keys.items():
            expected, found = other.hashes[_name(self._other, key)], own.hashes[name]
            if key.day is not None:
                verdict.differences += scope.hours(key.account, key.day, expected, found)
            else:
                verdict.differences += scope.days(key.account, key.month, expected, found)
        verdict.counters += len(keys)

    async def _meet(self, keys: Sequence[CounterKey]) -> tuple[Counters, Counters]:
        """Returns the same counters of both copies at the same fence.

        The reads need not be simultaneous: the contents of a shard depend only on its fence. So the looks at one copy
        are kept until the other copy is seen at the same fence.
        """
        looks: tuple[dict[int, Counters], dict[int, Counters]] = ({}, {})
        deadline = time.monotonic() + MEET_SECONDS
        while True:
            for shard, seen in zip((self._shard, self._other), looks, strict=True):
                found = await read_counters(shard, [_name(shard, key) for key in keys])
                seen[usage_fence(shard.number, found.state)] = found
            common = looks[0].keys() & looks[1].keys()
            if common:
                return looks[0][max(common)], looks[1][max(common)]
            if time.monotonic() > deadline:
                raise CannotTellError(
                    f"shard {self._shard.number}: the two copies were not seen at the same fence for {MEET_SECONDS:g} "
                    "s: do both have an aggregator? Under heavy traffic compare each with the log instead: billing "
                    "verify --redis-prefix PREFIX"
                )
            for seen in looks:
                _forget_oldest(seen)
            await asyncio.sleep(LOOK_SECONDS)


def _forget_oldest(seen: dict[int, Counters]) -> None:
    while len(seen) > MOST_LOOKS:
        del seen[next(iter(seen))]


def _name(shard: Shard, key: CounterKey) -> str:
    return shard.keys.days(key.account, key.month) if key.day is None else shard.keys.hours(key.account, key.day)
