"""Finds out, from outside, how a stack has counted and billed the published events."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests

from tests.chaos.log_fates import USAGE_TOPIC, identity_of, log_fates
from tests.chaos.truth import Place, Truth, shown
from tests.chaos.verdict import Expected, Fates, Found, differences
from tests.end_to_end.truth import ANCHOR
from tests.support.stack import LoggedRecord, Stack

ANSWER_SECONDS = 10.0
_RESTLESS = ("due", "in_flight", "no_customer", "never_billed")


@dataclass(frozen=True, slots=True)
class Customer:
    """An account, its Stripe customer and its API key."""

    account: str
    stripe_id: str
    api_key: str


class Evidence:
    """Gathers both sides of the comparison."""

    def __init__(self, stack: Stack, customers: Sequence[Customer], truth: Truth, watched: list[list[str]]) -> None:
        """`watched`: what those who look on have found wrong."""
        self._stack = stack
        self._customers = customers
        self._truth = truth
        self._watched = watched

    def unlike(self) -> list[str]:
        """The differences of API and Stripe from the truth: a quick check that must be empty first."""
        whole, period = self._truth.whole(), self._truth.since(ANCHOR)
        lines = []
        for customer in self._customers:
            totals = self._stack.totals(customer.api_key)
            if totals != shown(period, customer.account):
                lines.append(f"{customer.account}: the API says {totals} instead of {shown(period, customer.account)}")
        billed = self._billed(self._checks())
        lines += [f"{place}: {billed.get(place, 0)} at Stripe instead of {meant}" for place, meant in whole.items()
                  if billed.get(place, 0) != meant]  # fmt: skip
        return lines

    def differences(self) -> list[str]:
        """Everything that is not as it must be."""
        log = list(self._stack.records(USAGE_TOPIC))
        return differences(self._expected(log), self._found(log))

    def _expected(self, log: Sequence[LoggedRecord]) -> Expected:
        fates, rejects = log_fates(log, self._truth.rejects, int(self._stack.env["BILLING_PARTITIONS"]))
        return Expected(
            period=self._truth.since(ANCHOR),
            whole=self._truth.whole(),
            identities=self._truth.identities(),
            rejects=rejects,
            fates=fates,
        )

    def _found(self, log: Sequence[LoggedRecord]) -> Found:
        status = json.loads(self._stack.run("status", "--json").stdout)
        verified = self._stack.run("verify")
        checks = self._checks()
        return Found(
            totals=self._totals(),
            billed=self._billed(checks),
            logged={identity_of(record) for record in log if record.value not in self._truth.rejects},
            dead=self._stack.dead_letters(),
            fates={shard["shard"]: Fates(**shard["records"]) for shard in status["shards"]},
            unrest={shard["shard"]: _unrest(shard) for shard in status["shards"]},
            conflicting=checks["conflicting"]["count"],
            verified=(verified.returncode, verified.stdout + verified.stderr if verified.returncode else ""),
            wrong=tuple(line for lines in self._watched for line in lines),
        )

    def _totals(self) -> dict[Place, int]:
        totals = {each.account: self._stack.totals(each.api_key) or {} for each in self._customers}
        return {(account, meter): total for account, meters in totals.items() for meter, total in meters.items()}

    def _checks(self) -> dict[str, Any]:
        base = self._stack.env["BILLING_STRIPE_API_BASE"]
        checks: dict[str, Any] = requests.get(f"{base}/_double/checks", timeout=ANSWER_SECONDS).json()
        return checks

    def _billed(self, checks: dict[str, Any]) -> dict[Place, int]:
        accounts = {each.stripe_id: each.account for each in self._customers}
        return {
            (accounts.get(customer, customer), meter): units
            for customer, meters in checks["totals"].items()
            for meter, units in meters.items()
        }


def _unrest(shard: dict[str, Any]) -> dict[str, int]:
    found = {name: shard[name] for name in _RESTLESS} | {"parked": sum((shard["parked"] or {}).values())}
    return {name: number for name, number in found.items() if number}
