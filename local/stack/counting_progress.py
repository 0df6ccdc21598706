"""The progress of the aggregators in a booting stack, from their own metrics."""

import re
from collections.abc import Iterable

from local.stack.probes import ask

_LAG = re.compile(rb"^usage_lag_records\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


class CountingProgress:
    """The records left to count, as a share of the most that was ever left."""

    def __init__(self, metrics_urls: Iterable[str]) -> None:
        self._urls = list(metrics_urls)
        self._most = 0
        self.words = ""

    def look(self) -> None:
        """Asks all aggregators. If none reports a lag, the words stay as they were."""
        found = [float(lag) for url in self._urls for lag in _LAG.findall(ask(url).body)]
        left = int(sum(found))
        self._most = max(self._most, left)
        if left:
            self.words = f"{100 * (self._most - left) // self._most} % counted, {left:,} records left"
