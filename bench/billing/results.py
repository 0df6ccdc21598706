"""The results of one run of the billing benchmark, and its targets."""

from dataclasses import asdict, dataclass
from typing import Any

from bench.billing.exactness import Exactness
from bench.billing.throughput import Throughput
from bench.results import Target
from stripe_sync.sending.sender import RESEND_SECONDS

STREAM_ROWS = 5000.0  # rows a second; the target is lower if the double takes less


@dataclass(frozen=True, slots=True)
class BillingResults:
    """All measurements; `skipped` says why a part could not be measured."""

    exactness: Exactness | None
    throughput: list[Throughput]
    skipped: dict[str, str]

    def targets(self) -> list[Target]:
        """Returns the targets that this run has measured."""
        found = _exact(self.exactness) if self.exactness else []
        for each in self.throughput:
            if each.transport == "stream":
                least = min(STREAM_ROWS, 0.9 * each.limit)
                text = f"stream: at least {least:,.0f} rows/s"
                found.append(Target(text, each.rows_per_second, each.rows_per_second >= least))
            else:
                share = each.rows_per_second / min(each.limit, each.double_takes)
                found.append(Target(f"{each.transport}: at least 90 % of the limit", share, share >= 0.9))
            appends = each.appends_per_100
            found.append(Target(f"{each.transport}: at most 2 appends per 100 rows", appends, appends <= 2))
        return found

    def document(self) -> dict[str, Any]:
        """Returns the results for JSON."""
        return {
            "exactness": asdict(self.exactness) if self.exactness else None,
            "throughput": [asdict(each) for each in self.throughput],
            "skipped": self.skipped,
            "targets": [target._asdict() for target in self.targets()],
        }


def _exact(found: Exactness) -> list[Target]:
    hours = found.furthest_resend / 3600
    return [
        Target("account-meters with another sum at Stripe: none", found.differing, not found.differing),
        Target("identifiers with two bodies: none", found.two_bodies, not found.two_bodies),
        Target("calls at once for a customer and meter: 1", found.most_at_once, found.most_at_once <= 1),
        Target("hours between two sendings of a row: below 22", hours, found.furthest_resend < RESEND_SECONDS),
    ]
