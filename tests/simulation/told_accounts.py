"""What Stripe workers were told of accounts, whose facts change: a row is judged by what its sender could know."""

from collections import defaultdict
from collections.abc import Mapping

from metering.account import Account
from tests.simulation.clock import WorldTime

REMEMBERED_SECONDS = 600.0  # from looking to sending; by the wall clock, the same and what clocks may be off
CLOCKS_MS = 20 * 60 * 1000


class ToldAccounts:
    """For each worker and account, its records, and when they were last told: awake seconds, and Unix milliseconds."""

    def __init__(self, time: WorldTime) -> None:
        self._time = time
        self._told: defaultdict[tuple[str, str], dict[bytes, tuple[float, int]]] = defaultdict(dict)

    def told(self, who: str, records: Mapping[str, bytes | None]) -> None:
        """Somebody is told so right now."""
        for account, record in records.items():
            self._told[who, account][record or b""] = (self._time.elapsed(), self._time.now_ms())

    def anchors(self, who: str, account: str) -> set[int | None]:
        """The anchors that somebody may have in mind who has just sent a row."""
        awake, now_ms = self._time.elapsed(), self._time.now_ms()
        return {
            Account.model_validate_json(record).anchor if record else None
            for record, (at, at_ms) in self._told[who, account].items()
            if awake - at <= REMEMBERED_SECONDS and now_ms - at_ms <= REMEMBERED_SECONDS * 1000 + CLOCKS_MS
        }
