"""Runs or forecasts a replay with the real Kafka and Redis."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from types import FrameType

from metering.quarantine import passed_by
from ops.logs.order_log import read_orders
from ops.logs.publisher import UsagePublisher
from ops.logs.reader import LogReader
from ops.logs.settings import TableSettings
from ops.replay.deciding import Rules, decide
from ops.replay.forecast import Forecast, Forecaster
from ops.replay.progress import LogPart, Progress, save_progress
from ops.replay.reading import read_items
from ops.replay.run import MOST_AT_ONCE, Means, ReplayPace, run
from ops.replay.showing import ReplayDisplay
from runtime.topics import TopicNames


def usage_ends(settings: TableSettings, usage: str) -> dict[int, int]:
    """Returns the present end offsets of the usage log, by partition."""
    with LogReader(settings) as reader:
        return {partition: held.end for partition, held in reader.bounds(usage).items()}


def left_out(settings: TableSettings, progress: Progress) -> int:
    """Returns the number of offsets that the replay leaves out because a person ordered to pass them by."""
    parts = [part for part in progress.parts if isinstance(part, LogPart)]
    if progress.quarantined or not parts:
        return 0
    with LogReader(settings) as reader:
        orders = read_orders(reader, TopicNames(settings.topic_prefix).quarantine)
    return sum(passed_by(orders.of(part.topic, part.partition), part.next, part.end) for part in parts)


def forecast_replay(settings: TableSettings, progress: Progress, rules: Rules, now: float) -> Forecast:
    """Returns a forecast for the rest of the replay at the time `now` (Unix seconds); publishes nothing."""
    countable = replace(rules, send_rejected=False)
    with Forecaster(settings, usage_ends(settings, rules.topic)) as forecaster:
        for part in progress.parts:
            for items in read_items(settings, part, MOST_AT_ONCE, quarantined=progress.quarantined):
                decided = decide(items, countable, int(now * 1000))
                forecaster.add(decided.messages)
                for _, reject in decided.rejected:
                    forecaster.forecast.rejected[reject.reason.value] += 1
        return forecaster.forecast


def run_replay(settings: TableSettings, progress: Progress, rules: Rules, rate: float, path: Path) -> bool:
    """Publishes, and saves the progress in the file `path`. Returns False if Ctrl-C or SIGTERM stopped it early."""
    save_progress(path, progress)
    with _stopping() as stopped, UsagePublisher(settings) as publisher, ReplayDisplay(progress) as display:
        means = Means(
            read=partial(read_items, settings, quarantined=progress.quarantined),
            publish=publisher.publish,
            save=partial(save_progress, path),
            on_rejected=display.on_rejected,
            on_progress=display.on_progress,
        )
        return run(progress, rules, ReplayPace(rate, stopped.wait), means)


@contextmanager
def _stopping() -> Iterator[Event]:
    """Yields an event that Ctrl-C or SIGTERM sets; the second signal ends the process at once."""
    stopped = Event()

    def stop(number: int, _: FrameType | None) -> None:
        stopped.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
