"""What the comparisons with Stripe have found of each shard, until the next one: on `/metrics`, and as findings."""

from collections.abc import Collection
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge

from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from stripe_sync.reconcile.shard import Findings

MOST_UNCOVERED = 100  # accounts and meters of a shard that are named; a label is kept as long as the finding
FAILURES_TOLD = 2  # in a row: one that fails is tried again in some minutes


@dataclass(slots=True)
class _Found:
    findings: Findings | None = None
    failures: int = 0
    why: str = ""


class Comparisons:
    """Keeps the last word on each shard: what is said for some minutes must be said for an hour."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._found: dict[int, _Found] = {}
        self._missing = Gauge(
            "stripe_missing_units", "Accepted units that Stripe's summaries lack", ["shard"], registry=registry
        )
        self._uncovered = Gauge(
            "stripe_not_invoiced_units",
            "Accepted units that no invoice will have",
            ["shard", "account", "meter", "cause"],
            registry=registry,
        )
        self._fates = Counter(
            "stripe_comparisons", "With Stripe's summaries, of a shard: ended or failed", ["fate"], registry=registry
        )

    def compared(self, shard: int, findings: Findings | str) -> None:
        """A comparison has ended, or failed, with why: what the last one has found stays then."""
        found = self._found.setdefault(shard, _Found())
        self._fates.labels("failed" if isinstance(findings, str) else "ended").inc()
        if isinstance(findings, str):
            found.failures, found.why = found.failures + 1, findings
            return
        found.findings, found.failures = findings, 0
        self._missing.labels(str(shard)).set(self.missing(shard))
        self._uncovered.remove_by_labels({"shard": str(shard)})
        for each in findings.uncovered[:MOST_UNCOVERED]:
            self._uncovered.labels(str(shard), each.account, each.meter, each.cause.value).set(each.units)

    def missing(self, shard: int) -> int:
        """Units that Stripe has accepted and its summaries lack."""
        findings = self._found.get(shard, _Found()).findings
        return 0 if findings is None else sum(each.missing for each in findings.missing)

    def wrong(self, shard: int) -> list[Finding]:
        """What else there is to say of a shard."""
        found = self._found.get(shard, _Found())
        said = []
        if found.failures >= FAILURES_TOLD:
            said.append(Finding(Trouble.COMPARISON_FAILED, shard, detail=found.why))
        if found.findings is not None:
            said += [each.finding(shard) for each in found.findings.uncovered[:MOST_UNCOVERED]]
            if found.findings.unread is not None:
                said.append(Finding(Trouble.SUBSCRIPTIONS_UNREAD, shard, detail=found.findings.unread))
        return said

    def release(self, shards: Collection[int]) -> None:
        """Shards that another process owns now are its to tell of."""
        for shard in shards:
            self._found.pop(shard, None)
            for gauge in (self._missing, self._uncovered):
                gauge.remove_by_labels({"shard": str(shard)})
