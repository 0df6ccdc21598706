"""What customers were shown: no total may shrink, and no valid key may read as unknown."""

from collections import defaultdict
from typing import Any

from metering.span import Span
from tests.simulation.trace import Trace

Seen = dict[Span, tuple[int, ...]]


class Shown:
    """The most that any reader has been shown, for each account and run of buckets."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._usage: defaultdict[str, Seen] = defaultdict(dict)
        self._keys: set[str] = set()
        self._readable: dict[str, int] = {}
        self._versions: dict[tuple[Any, ...], list[bytes]] = {}
        self.answers = 0

    def lost(self, readable: dict[str, int]) -> None:
        """Redis is about to lose state: shards that could be read, and how far they were counted."""
        for shard, fence in readable.items():
            self._readable[shard] = max(fence, self._readable.get(shard, 0))

    def is_readable(self, shard: str, fence: int) -> None:
        """A shard may be read again."""
        if fence < self._readable.get(shard, 0):
            self._trace.fail(f"{shard} is ready at {fence}, but was read at {self._readable[shard]}")

    def has_version(self, version: tuple[Any, ...], units: list[bytes]) -> None:
        """A question's answer in one version: for ever the same, or who has it would be told so of another one."""
        if (before := self._versions.setdefault(version, units)) != units:
            self._trace.fail(f"{version} was {before}, and later {units}")

    def unrest(self, answers: int) -> str:
        """Empty once some more answers than so many have been given."""
        return "" if self.answers >= answers + 4 else "readers are not answered"

    def usage(self, account: str) -> Seen:
        """What had been shown by now: whoever asks from here on may not see less."""
        return dict(self._usage[account])

    def saw_usage(self, account: str, span: Span, units: tuple[int, ...], before: Seen) -> None:
        """A customer was shown totals, having asked when `before` had been shown."""
        self.answers += 1
        self._trace.say("reader", f"{account} {units}")
        least = before.get(span, (0,) * len(units))
        if any(now < then for now, then in zip(units, least, strict=True)):
            self._trace.fail(f"{account} was shown {least}, and later {units}")
        most = self._usage[account].get(span, units)
        self._usage[account][span] = tuple(map(max, units, most))

    def knows_key(self, key_hash: str) -> bool:
        """True once somebody has signed in with it."""
        return key_hash in self._keys

    def saw_key(self, key_hash: str, *, found: bool, known: bool) -> None:
        """A key was looked up, after it had been `known` or not."""
        if known and not found:
            self._trace.fail(f"the valid key {key_hash[:8]} was unknown")
        if found:
            self._keys.add(key_hash)
