"""The monthly job: a fee for every number that was held, as often as it is run."""

from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from .. import contract
from .._delivery import Outcome
from ..errors import InvalidEventError
from ..numbers import NumberService, month_start
from .holdings import Holding, HoldingFault, fee_time

MOST_IN_FLIGHT = 5_000
"""Fees that wait for Kafka at once: what the report of progress is behind."""


@dataclass(slots=True)
class Report:
    """What became of the lines: charged by where the events are, numbers not held in the month, lines with faults."""

    acknowledged: int = 0
    spooled: int = 0
    not_held: int = 0
    faults: list[HoldingFault] = field(default_factory=list)
    last_line: int = 0

    def count(self, outcome: Outcome) -> None:
        """One more event is safe."""
        if outcome is Outcome.ACKNOWLEDGED:
            self.acknowledged += 1
        else:
            self.spooled += 1


class MonthError(ValueError):
    """The month can't be charged now."""


def check_month(month: date, now: datetime) -> None:
    """Whether the month has begun and may still be charged.

    Raises:
        MonthError: it may not.
    """
    start = month_start(month)
    last = start + timedelta(milliseconds=contract.MAX_PAST_MS)
    if now < start:
        raise MonthError(f"{month:%Y-%m} begins at {start:%Y-%m-%dT%H:%M:%SZ}: run it then")
    if now > last:
        raise MonthError(
            f"{month:%Y-%m} could be charged until {last:%Y-%m-%dT%H:%M:%SZ}; later the platform no longer knows which "
            "fees it has counted: charge what is missing in Stripe"
        )


def charge(
    holdings: Iterable[Holding | HoldingFault],
    month: date,
    numbers: NumberService[Future[Outcome]],
    *,
    report: Report,
    progress: Callable[[Report], None],
    start_line: int = 1,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Emits the fees, and notes in the report what became of each line; `last_line` is one whose event is safe.

    Raises:
        SpoolError, OSError: neither Kafka nor the disk takes more. Run it again, from the start or from the line after
            the report's last.
    """
    waiting: deque[tuple[int, Future[Outcome]]] = deque()
    for line in holdings:
        if line.line < start_line:
            continue
        if isinstance(line, HoldingFault):
            report.faults.append(line)
            continue
        time = fee_time(line, month, clock())
        if time is None:
            report.not_held += 1
            continue
        try:
            waiting.append((line.line, numbers.monthly(line.account, line.number, month, time=time)))
        except InvalidEventError as error:
            report.faults.append(HoldingFault(line.line, str(error)))
        while len(waiting) > MOST_IN_FLIGHT:
            _settle(waiting, report)
            progress(report)
    while waiting:
        _settle(waiting, report)
    progress(report)


def _settle(waiting: deque[tuple[int, Future[Outcome]]], report: Report) -> None:
    line, delivery = waiting.popleft()
    report.count(delivery.result())
    report.last_line = line
