"""What people put right: while something is broken a shard may say so, and nothing else may befall it."""

from collections import Counter
from collections.abc import Callable

from tests.simulation.loop import VirtualLoop
from tests.simulation.trace import Trace

RESTART_SECONDS = 3.0


class Mending:
    """Knows how many troubles of each shard are not over: a log has lost its end, or is folded anew after that."""

    def __init__(self, loop: VirtualLoop, trace: Trace, happened: Counter[str], restart: Callable[[str], None]) -> None:
        """`restart` restarts all processes whose names begin so."""
        self._loop = loop
        self._trace = trace
        self._happened = happened
        self._mends: list[Callable[[], None]] = []
        self.restart = restart
        self._broken: Counter[int] = Counter()

    def begins(self, shard: int) -> None:
        """The shard is in trouble, and may stop."""
        self._broken[shard] += 1

    def ends(self, shard: int) -> None:
        """One of its troubles is over."""
        self._broken[shard] -= 1

    def expect(self, seconds: float, mend: Callable[[], None]) -> None:
        """Something will be put right: after a while, or before it gets worse."""

        def mend_once() -> None:
            if mend in self._mends:
                self._mends.remove(mend)
                mend()

        self._mends.append(mend)
        self._loop.later(seconds, mend_once)

    @property
    def pending(self) -> bool:
        """Whether something is still to be put right."""
        return bool(self._mends)

    def mend_all(self) -> None:
        """Everything is put right."""
        while self._mends:
            self._mends.pop()()

    def pardons(self, message: str) -> bool:
        """Whether a Stripe worker may say that it is stopped: people restart it, and find it in order in the end."""
        if not +self._broken:
            return False
        self._trace.say("HAZARD", f"stopped: {message}")
        self._happened["stopped"] += 1
        self._loop.later(RESTART_SECONDS, lambda: self.restart("stripe"))
        return True

    @property
    def broken(self) -> set[int]:
        """The shards in trouble."""
        return set(+self._broken)
