"""The results of one run of the counting benchmark, and its targets."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from bench.contest import BARE, FAUST, OURS, RAW, REFOLD, TAKE
from bench.freshness import Freshness
from bench.memory import MemoryUse
from bench.spread import Spread, spread
from bench.task import TaskOutcome

SLOW_RATE, STEADY_RATE = 10.0, 1000.0  # events per second
TARGET_IDENTITIES = 1_000_000  # identities: in a smaller block, the fixed size of a set distorts the result


class Target(NamedTuple):
    """A target, and the measured value."""

    text: str
    measured: float
    met: bool


@dataclass(frozen=True, slots=True)
class CountingResults:
    """All measurements; parts that a run left out are empty or None."""

    outcomes: dict[str, list[TaskOutcome]]
    memory: MemoryUse | None
    freshness: list[Freshness]

    def rates(self) -> dict[str, Spread]:
        """Returns the events per second by contestant."""
        return {name: spread([outcome.rate for outcome in each]) for name, each in self.outcomes.items()}

    def ratio(self, other: str) -> Spread:
        """Returns the aggregator's rate divided by another contestant's, turn by turn."""
        pairs = zip(self.outcomes[OURS], self.outcomes[other], strict=True)
        return spread([ours.rate / theirs.rate for ours, theirs in pairs])

    def at_rate(self, rate: float) -> Freshness | None:
        """Returns the freshness at a rate; None if it was not measured."""
        return next((each for each in self.freshness if each.rate == rate), None)

    def targets(self) -> list[Target]:
        """Returns the targets that this run has measured."""
        found = []
        if self.outcomes:
            for other, least, text in (
                (RAW, 0.15, "at least 15 % of a consumer that does nothing"),
                (BARE, 0.8, "at least 80 % of the same job without Faust"),
                (TAKE, 10, "at least 10 times idiomatic Faust with `take`"),
                (FAUST, 30, "at least 30 times idiomatic Faust, event by event"),
            ):
                ratio = self.ratio(other).median
                found.append(Target(text, ratio, ratio >= least))
            rate = self.rates()[REFOLD].median
            found.append(Target("a rebuild of at least 60,000 events/s", rate, rate >= 60_000))
        if self.memory and self.memory.identities >= TARGET_IDENTITIES:
            size = self.memory.bytes_per_identity
            found.append(Target("at most 9 bytes to know a duplicate by", size, size <= 9))
        if slow := self.at_rate(SLOW_RATE):
            found.append(Target("p99 under 100 ms at 10 events/s", slow.p99_ms, slow.p99_ms < 100))
        if others := [each for each in self.freshness if each.rate not in {SLOW_RATE, STEADY_RATE}]:
            half = others[-1]
            found.append(Target("p99 under 100 ms at half of the maximum", half.p99_ms, half.p99_ms < 100))
        if steady := self.at_rate(STEADY_RATE):
            found.append(Target("under 30 % of a core at 1,000 events/s", steady.core_share, steady.core_share < 0.3))
        return found

    def document(self) -> dict[str, Any]:
        """Returns the results for JSON."""
        ratios = {other: self.ratio(other)._asdict() for other in self.outcomes if other not in (OURS, REFOLD)}
        return {
            "outcomes": {name: [asdict(outcome) for outcome in each] for name, each in self.outcomes.items()},
            "rates": {name: rate._asdict() for name, rate in self.rates().items()},
            "aggregator_over": ratios,
            "memory": asdict(self.memory) if self.memory else None,
            "freshness": [asdict(each) for each in self.freshness],
            "targets": [target._asdict() for target in self.targets()],
        }
