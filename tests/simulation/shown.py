"""What customers were shown: no total may shrink, and no valid key may read as unknown."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from metering.span import Span
from tests.simulation import names
from tests.simulation.freshness import Freshness
from tests.simulation.told_accounts import ToldAccounts
from tests.simulation.trace import Trace

Seen = dict[Span, tuple[int, ...]]


class Shown:
    """The most that any reader has been shown, for each account and run of buckets."""

    def __init__(self, trace: Trace, freshness: Freshness, accounts: ToldAccounts) -> None:
        self._trace = trace
        self._freshness = freshness
        self.accounts = accounts
        self._usage: defaultdict[str, Seen] = defaultdict(dict)
        self._keys: set[str] = set()
        self._revoked: set[str] = set()
        self._gone: set[str] = set()
        self._readable: dict[str, int] = {}
        self._versions: dict[tuple[Any, ...], list[bytes]] = {}
        self.answers = 0

    def lost(self, readable: dict[str, int]) -> None:
        """Redis is about to lose state: shards that could be read, and how far they were counted."""
        for shard, fence in readable.items():
            self._readable[shard] = max(fence, self._readable.get(shard, 0))

    def more(self, shard: str, fence: int) -> bool:
        """Whether readers were shown more of a shard than it is counted up to now."""
        return fence < self._readable.get(shard, 0)

    def is_readable(self, shard: str, fence: int) -> None:
        """A shard may be read again."""
        if fence < self._readable.get(shard, 0):
            self._trace.fail(f"{shard} is ready at {fence}, but was read at {self._readable[shard]}")

    def told(self, who: str, records: Mapping[str, bytes | None]) -> None:
        """A worker was told accounts' records."""
        self.accounts.told(who, records)

    def is_fresh(self, shard: str, fence: int, as_of_ms: int) -> None:
        """A reader was told as of when a shard is complete."""
        self._freshness.shown(names.SHARDS[shard], fence, as_of_ms)

    def starts_over(self, shard: str) -> None:
        """People have cleared a shard, whose log is another one now."""
        self._readable.pop(shard, None)

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

    def revokes(self, key_hash: str) -> None:
        """Somebody is about to revoke a key."""
        self._revoked.add(key_hash)

    def is_revoked(self, key_hash: str) -> bool:
        """True from the moment at which somebody was about to."""
        return key_hash in self._revoked

    def is_gone(self, key_hash: str) -> bool:
        """True once somebody was told that a key that had been known is so no more."""
        return key_hash in self._gone

    def saw_key(self, key_hash: str, *, found: bool, known: bool, gone: bool) -> None:
        """A key was looked up, after it had been `known` or not, and `gone` or not."""
        if known and not found and key_hash not in self._revoked:
            self._trace.fail(f"the valid key {key_hash[:8]} was unknown")
        if gone and found:
            self._trace.fail(f"the revoked key {key_hash[:8]} opens its account again")
        if found:
            self._keys.add(key_hash)
        elif known:
            self._gone.add(key_hash)
