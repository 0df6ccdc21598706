"""Hours in which an account used more of a meter than a person has thought of: told, and billed like all others."""

from metering.bucket import start_of
from metering.meters import BY_INDEX
from metering.rfc3339 import from_unix
from metering.row import split_bucket_key
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from runtime.clock import Clock
from stripe_sync.troubles import MOST_NAMED

TOLD_SECONDS = 24 * 3600.0  # after the hour was last planned: a person must have the time to see it
MOST_KEPT = 10_000


class Breaches:
    """One shard's. `bound`: units of one account, meter and hour that nobody is told of; 0: whatever they are."""

    def __init__(self, bound: int, clock: Clock) -> None:
        self._bound = bound
        self._clock = clock
        self._found: dict[str, tuple[int, float]] = {}  # by bucket: units, when they were seen; the latest last

    def see(self, bucket: str, counted: int) -> None:
        """A bucket is about to be planned."""
        if not self._bound or counted <= self._bound:
            return
        self._found.pop(bucket, None)
        self._found[bucket] = counted, self._clock.monotonic()
        if len(self._found) > MOST_KEPT:
            del self._found[next(iter(self._found))]

    def findings(self, shard: int) -> list[Finding]:
        """What a person must know; nothing of what was seen long ago."""
        since = self._clock.monotonic() - TOLD_SECONDS
        self._found = {bucket: found for bucket, found in self._found.items() if found[1] > since}
        if not self._found:
            return []
        worst = sorted(self._found.items(), key=lambda each: -each[1][0])[:MOST_NAMED]
        named = [_sentence(bucket, units) for bucket, (units, _) in worst]
        named += [f"and {len(self._found) - MOST_NAMED} more"] if len(self._found) > MOST_NAMED else []
        return [
            Finding(Trouble.UNITS_HIGH, shard, {"buckets": len(self._found), "bound": self._bound}, "; ".join(named))
        ]


def _sentence(bucket: str, units: int) -> str:
    account, meter, hour = split_bucket_key(bucket)
    name = BY_INDEX[meter].name if meter in BY_INDEX else f"meter {meter}"
    return f"account {account}, {name}, {from_unix(start_of(hour))}: {units} units"
