"""The monthly job: emits a fee for every number that was held. The events of a second run are duplicates."""

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
"""Fees that wait for Kafka at once; the reported progress is behind by as many."""


@dataclass(slots=True)
class Report:
    """The result of the lines: events acknowledged or spooled, numbers not held in the month, lines with faults."""

    acknowledged: int = 0
    spooled: int = 0
    not_held: int = 0
    faults: list[HoldingFault] = field(default_factory=list)
    last_line: int = 0

    def count(self, outcome: Outcome) -> None:
        """Counts an event that is safe."""
        if outcome is Outcome.ACKNOWLEDGED:
            self.acknowledged += 1
        else:
            self.spooled += 1


class MonthError(ValueError):
    """The month can't be charged now."""


def check_month(month: date, now: datetime) -> None:
    """Checks that the month has begun, and can still be charged.

    Raises:
        MonthError: it has not begun, or it is too late.
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
    """Emits the fees, and counts the results in the report. The events up to its `last_line` are safe.

    Raises:
        SpoolError, OSError: neither Kafka nor the disk takes more. Run the job again, from the start or from the line
            after the report's last one.
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
