"""The results of one run of the API's benchmark, and its targets."""

from dataclasses import asdict, dataclass
from typing import Any

from bench.api.measuring import CONSTANT, USAGE, Turn
from bench.results import Target
from bench.spread import Spread, spread


@dataclass(frozen=True, slots=True)
class ApiResults:
    """All measurements; `first` and `alone` are with one request at a time."""

    accounts: int
    first: Turn
    alone: Turn
    closed: dict[str, list[Turn]]
    opened: dict[str, Turn]

    def rate(self, name: str) -> Spread:
        """Returns the requests per second of a server."""
        return spread([turn.measured.rate for turn in self.closed[name]])

    def ratio(self) -> Spread:
        """Returns the API's rate divided by the reference's, turn by turn."""
        pairs = zip(self.closed[USAGE], self.closed[CONSTANT], strict=True)
        return spread([ours.measured.rate / theirs.measured.rate for ours, theirs in pairs])

    def targets(self) -> list[Target]:
        """Returns all targets."""
        ratio, p99, trips = self.ratio().median, self.opened[USAGE].measured.p99_ms, trips_of(self.alone)
        return [
            Target("at least 50 % of an endpoint that returns a constant", ratio, ratio >= 0.5),
            Target("p99 under 10 ms at half of the most", p99, p99 < 10),
            Target("at most 2 trips to Redis", trips, trips <= 2),
        ]

    def document(self) -> dict[str, Any]:
        """Returns the results for JSON."""
        return {
            "accounts": self.accounts,
            "first": asdict(self.first),
            "alone": asdict(self.alone),
            "closed": {name: [asdict(turn) for turn in turns] for name, turns in self.closed.items()},
            "open": {name: asdict(turn) for name, turn in self.opened.items()},
            "rates": {name: self.rate(name)._asdict() for name in self.closed},
            "api_over_constant": self.ratio()._asdict(),
            "targets": [target._asdict() for target in self.targets()],
        }


def trips_of(turn: Turn) -> float:
    """Returns the trips to Redis per request."""
    return turn.used.trips / turn.measured.answers


def scripts_of(turn: Turn) -> float:
    """Returns the scripts that Redis ran per request."""
    return turn.used.scripts / turn.measured.answers
