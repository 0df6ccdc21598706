"""What to ask a shard for an account's current billing period, and what was asked last."""

from dataclasses import dataclass

from cachetools import LRUCache

from ledger.reading import Totals, parse_account
from metering.period import Period, hours_of, period_containing
from metering.span import Span, span_of

KEPT_QUESTIONS = 10_000  # accounts; below 1 KB each


@dataclass(frozen=True, slots=True)
class Question:
    """The buckets of one billing period, drawn from one record of the account; and the last answer, if there is one."""

    record: bytes
    period: Period
    span: Span
    answer: Totals | None = None


def draw(record: bytes, now: int) -> Question:
    """The question for the billing period that `now` (Unix seconds) falls into.

    Args:
        record: the account's record; empty for none.
        now: Unix seconds.
    """
    account = parse_account(record)
    period = period_containing(now, account.anchor)
    return Question(record, period, span_of(hours_of(period, account)))


class Questions:
    """The last question of each of the most recent accounts: a guess at the next one, which the shard checks."""

    def __init__(self, limit: int = KEPT_QUESTIONS) -> None:
        self._kept: LRUCache[str, Question] = LRUCache(limit)

    def guess(self, account: str, now: int) -> Question:
        """The account's last question while its period lasts, else one drawn anew from the record known."""
        kept = self._kept.get(account)
        if kept is not None and kept.period.contains(now):
            return kept
        return draw(kept.record if kept else b"", now)

    def keep(self, account: str, question: Question) -> None:
        """Remembers what was right; the account that was not asked for longest makes room."""
        self._kept[account] = question
