"""The results of one run of the producers' benchmark, and its targets."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench.producers.task import BARE_PYTHON, EMIT_C, EMIT_PYTHON, PublishOutcome
from bench.results import Target
from bench.spread import Spread, spread

MOST_CPU = 1.3  # of the bare client's
MOST_MEDIAN_US, MOST_P99_US = 40, 1000
LEAST_TIMES = 10


@dataclass(frozen=True, slots=True)
class ProducerResults:
    """The outcomes by publisher: as fast as they go, and at a steady rate."""

    fast: dict[str, list[PublishOutcome]]
    steady: dict[str, list[PublishOutcome]]

    def ratio(self, name: str, other: str, value: Callable[[PublishOutcome], float]) -> Spread:
        """Returns one publisher's value divided by another's, turn by turn, both as fast as possible."""
        pairs = zip(self.fast[name], self.fast[other], strict=True)
        return spread([value(one) / value(another) for one, another in pairs])

    def targets(self) -> list[Target]:
        """Returns all targets."""
        cpu = self.ratio(EMIT_PYTHON, BARE_PYTHON, lambda outcome: outcome.cpu_us).median
        times = self.ratio(EMIT_C, EMIT_PYTHON, lambda outcome: outcome.rate).median
        found = [Target(f"emit at most {MOST_CPU} times the CPU of bare kafka-python", cpu, cpu <= MOST_CPU)]
        for name in (EMIT_PYTHON, EMIT_C):
            half = median(outcome.median_us for outcome in self.steady[name])
            most = median(outcome.p99_us for outcome in self.steady[name])
            found += [
                Target(f"{name}: median under {MOST_MEDIAN_US} µs for the caller", half, half < MOST_MEDIAN_US),
                Target(f"{name}: p99 under {MOST_P99_US} µs for the caller", most, most < MOST_P99_US),
            ]
        text = f"emit through librdkafka {LEAST_TIMES} times as fast as through kafka-python"
        return [*found, Target(text, times, times >= LEAST_TIMES)]

    def document(self) -> dict[str, Any]:
        """Returns the results for JSON."""
        return {
            "fast": {name: [asdict(outcome) for outcome in each] for name, each in self.fast.items()},
            "steady": {name: [asdict(outcome) for outcome in each] for name, each in self.steady.items()},
            "targets": [target._asdict() for target in self.targets()],
        }
