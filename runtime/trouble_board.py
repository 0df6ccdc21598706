"""What a service knows to be wrong, on `/metrics`, in the words of `/healthz`, and once in its log."""

import logging
from collections.abc import Collection

from prometheus_client import CollectorRegistry, Gauge

from metering.troubles.catalogue import TROUBLES
from metering.troubles.entry import Severity
from metering.troubles.finding import Finding, grouped
from metering.troubles.names import Trouble

log = logging.getLogger(__name__)


class TroubleBoard:
    """Holds the last findings of each shard that the service looks after.

    `billing_trouble{shard, trouble}` is 1 while it is so and 0 else, of every trouble of the list: an alert on one that
    nobody has met yet finds its series.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gauge = Gauge("billing_trouble", "1 while it is so", ["shard", "trouble"], registry=registry)
        self._found: dict[int, tuple[Finding, ...]] = {}

    def tell(self, shard: int, findings: Collection[Finding]) -> None:
        """These are so now, and no others; each is logged when it begins."""
        known = self._found.get(shard)
        before, now = {each.trouble for each in known or ()}, {each.trouble for each in findings}
        if known is None or now != before:  # told of several times a second, and the list is long
            for trouble in Trouble:
                self._gauge.labels(str(shard), trouble.value).set(trouble in now)
        for finding in findings:
            if finding.trouble not in before:
                level = logging.INFO if TROUBLES[finding.trouble].severity is Severity.NOTE else logging.ERROR
                log.log(level, "%s: %s", finding.trouble.value, finding)
        self._found[shard] = tuple(findings)

    def release(self, shards: Collection[int]) -> None:
        """These shards are another process's to tell of."""
        for shard in shards:
            if self._found.pop(shard, None) is not None:
                self._gauge.remove_by_labels({"shard": str(shard)})

    def words(self) -> list[str]:
        """A sentence for each trouble, those of one cause together."""
        findings = [each for found in list(self._found.values()) for each in found]  # asked from another thread
        return [f"{group.sentence}: {'; '.join(group.details)}".rstrip(": ") for group in grouped(findings)]
