"""Chaos on the real stack: `make chaos SECONDS=60 SEED=1`.

Boots the embedded stack in a directory of its own, publishes and reads without a pause, strikes processes as the seed
says, and compares, once all has come to rest, what is with what must be. The seed reproduces load and schedule; when
exactly each process is hit in its work it can't reproduce.
"""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from local.stack.settings import settings_of
from metering.account import Account
from metering.api_key import ApiKeyRecord, key_hash, make_api_key
from ops.logs.table_log import write_records
from runtime.settings import KafkaSettings
from tests.chaos.breaker import Breaker
from tests.chaos.endings import endings
from tests.chaos.evidence import Customer, Evidence
from tests.chaos.load import Load
from tests.chaos.log_fates import home_of
from tests.chaos.schedule import draw_faults
from tests.chaos.story import Story
from tests.chaos.truth import METERS
from tests.chaos.watches import StripeWatch, TotalsWatch
from tests.end_to_end.truth import ANCHOR
from tests.support.eventually import eventually
from tests.support.stack import Stack, booted

OPTIONS = ("--no-demo", "--aggregators", "2", "--stripe-workers", "2")
QUIET_SECONDS = 4.0  # before the first fault: every kind of bad record is read meanwhile, and must end nothing
DRAIN_SECONDS = 180.0
KNOWN_SECONDS = 30.0
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a seed: in what it differs from the truth, and what happened."""

    seed: int
    directory: Path
    differences: list[str]
    story: Story

    def __str__(self) -> str:
        happened = ", ".join(f"{number} {what}" for what, number in sorted(self.story.happened.items()))
        if not self.differences:
            return f"seed {self.seed}: exact. {happened}"
        return "\n".join(
            [
                *self.story.lines,
                f"seed {self.seed}: {len(self.differences)} differences. {happened}",
                *self.differences,
                f"everything is kept in {self.directory}",
            ]
        )


def unleash(directory: Path, seed: int, seconds: float) -> Outcome:
    """Runs one seed in an empty directory; the stack is stopped when this returns."""
    faults = draw_faults(seed, seconds)
    with booted(directory, *OPTIONS) as stack, ExitStack() as closing:
        customers = _make_customers(stack, Random(seed))  # noqa: S311
        story = Story()
        story.tell(f"seed {seed}: {len(faults)} faults in {seconds:g} s")
        breaker = Breaker(stack, story)
        keys = {each.account: each.api_key for each in customers}
        watches = [
            closing.enter_context(TotalsWatch(stack.env["BILLING_API_URL"], keys, story)),
            closing.enter_context(StripeWatch(stack.env["BILLING_STRIPE_API_BASE"], story, breaker.excused)),
        ]
        bootstrap = stack.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"]
        load = closing.enter_context(Load(bootstrap, list(keys), directory / "spool", seed, story))
        breaker.run([], QUIET_SECONDS)
        ended = [f"though nobody struck yet: {line}" for line in endings(directory / "up.log")]
        story.tell(f"the faults begin; ended by records: {len(ended)}")
        breaker.run(faults, seconds)
        story.tell("the faults are over")
        load.finish()
        story.tell(f"everything is published: {len(load.truth.identities())} events, {len(load.truth.rejects)} rejects")
        evidence = Evidence(stack, customers, load.truth, [*(watch.wrong for watch in watches), ended])
        return Outcome(seed, directory, _rest(evidence, story), story)


def _rest(evidence: Evidence, story: Story) -> list[str]:
    """Waits until nothing differs any more. Returns the differences that stay."""
    end = time.monotonic() + DRAIN_SECONDS
    while evidence.unlike() and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    story.tell("API and Stripe are not equal in time" if evidence.unlike() else "API and Stripe have it all")
    while (lines := evidence.differences()) and time.monotonic() < end:
        story.tell(f"compared, and {len(lines)} lines differ yet: {lines[0]}")
        time.sleep(POLL_SECONDS)
    story.tell("compared")
    return lines


def _make_customers(stack: Stack, random: Random) -> list[Customer]:
    """One account on every shard, known to the API before anything is broken."""
    settings = settings_of(KafkaSettings, stack.env)
    homes: dict[int, str] = {}
    for number in range(100 * settings.partitions):
        homes.setdefault(home_of(f"chaos_{number}", settings.partitions), f"chaos_{number}")
    customers = [
        Customer(account, stack.new_customer(account), make_api_key(random.choice)) for account in homes.values()
    ]
    anchor = int(ANCHOR.timestamp())
    accounts = {each.account: Account(customer=each.stripe_id, anchor=anchor).to_json() for each in customers}
    write_records(settings, "billing.accounts", accounts)
    created = int(time.time())
    keys = {key_hash(each.api_key): ApiKeyRecord(account=each.account, created=created) for each in customers}
    write_records(settings, "billing.api-keys", {name: record.to_json() for name, record in keys.items()})
    for each in customers:
        eventually(partial(_answers, stack, each.api_key), deadline=KNOWN_SECONDS, what=each.account)
    return customers


def _answers(stack: Stack, key: str) -> bool:
    return stack.totals(key) == dict.fromkeys(METERS, 0)


def main() -> int:
    """Runs from the command line; the directory is kept if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long faults last")
    parser.add_argument("--seed", type=int, help="of load and schedule; default: a new one")
    asked = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if asked.seed is None else asked.seed
    directory = Path(tempfile.mkdtemp(prefix=f"billing-chaos-{seed}-"))
    print(f"seed {seed}, in {directory}", flush=True)  # noqa: T201
    outcome = unleash(directory, seed, asked.seconds)
    print(outcome, flush=True)  # noqa: T201
    if outcome.differences:
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
