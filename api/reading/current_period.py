"""The query to a shard for an account's current billing period, and the last queries."""

from dataclasses import dataclass

from cachetools import LRUCache

from ledger.reading import Totals, parse_account
from metering.period import Period, hours_of, period_containing
from metering.span import Span, span_of

KEPT_QUERIES = 10_000  # accounts; below 1 KB each


@dataclass(frozen=True, slots=True)
class PeriodQuery:
    """The buckets of one billing period, computed from one record of the account; and the last answer, if any."""

    record: bytes
    period: Period
    span: Span
    answer: Totals | None = None


def draw(record: bytes, now: int) -> PeriodQuery:
    """Returns the query for the billing period that contains `now`.

    Args:
        record: the account's record; empty if there is none.
        now: the time, Unix seconds.
    """
    account = parse_account(record)
    period = period_containing(now, account.anchor)
    return PeriodQuery(record, period, span_of(hours_of(period, account)))


class PeriodQueries:
    """The last queries of the most recently used accounts: guesses for the next query, which the shard checks."""

    def __init__(self, limit: int = KEPT_QUERIES) -> None:
        self._kept: LRUCache[str, PeriodQuery] = LRUCache(limit)

    def guess(self, account: str, now: int) -> PeriodQuery:
        """Returns the account's last query while its period lasts, else a new query from the last known record."""
        kept = self._kept.get(account)
        if kept is not None and kept.period.contains(now):
            return kept
        return draw(kept.record if kept else b"", now)

    def keep(self, account: str, query: PeriodQuery) -> None:
        """Remembers a query that was right; drops the account that was not used for the longest time."""
        self._kept[account] = query
