"""How far the aggregators of a booting stack are, as their own metrics tell it."""

import re
from collections.abc import Iterable

from local.stack.probes import ask

_LAG = re.compile(rb"^usage_lag_records\{[^}]*\} ([0-9.e+]+)$", re.MULTILINE)


class CountingProgress:
    """What is left to be counted, of what was left at the first look."""

    def __init__(self, metrics_urls: Iterable[str]) -> None:
        self._urls = list(metrics_urls)
        self._most = 0
        self.words = ""

    def look(self) -> None:
        """Asks every aggregator; what none of them tells leaves the words as they were."""
        found = [float(lag) for url in self._urls for lag in _LAG.findall(ask(url).body)]
        left = int(sum(found))
        self._most = max(self._most, left)
        if left:
            self.words = f"{100 * (self._most - left) // self._most} % counted, {left:,} records left"
