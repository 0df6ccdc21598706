"""`billing stripe park`, `retry`, `reissue`, `write-off`: a person's orders for one row or many."""

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from metering.outcome import ParkReason
from metering.push_log import MAX_WORDS
from ops.console.arguments import parse_time
from ops.console.bar import Bar
from ops.console.confirm import ask
from ops.console.errors import OpsError
from ops.console.running_user import running_user
from ops.console.safe_text import visible
from ops.console.target import StackDir
from ops.stripe import run
from ops.stripe.desk import Desk, desk_settings, open_desk
from ops.stripe.parked import ParkedRow
from ops.stripe.plan import Change, Choice, Plan, check_retry, plan_each
from ops.stripe.run import Signed
from ops.stripe.run_many import BulkOutcome, Clerk, chosen_rows, plan_reissues
from ops.stripe.text import amount, counted, left_text, planned_text
from runtime.exit_codes import DONE, NEEDS_A_PERSON

Identifier = Annotated[str, typer.Argument(help="The row's identifier, or a beginning that no other row has.")]
OneOrNone = Annotated[str | None, typer.Argument(help="The row's identifier, or a beginning that no other row has.")]
Why = Annotated[str, typer.Option(help="The reason, kept in the push log.")]
Who = Annotated[str | None, typer.Option(help="Who orders it; default: you.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
Reasons = Annotated[list[ParkReason] | None, typer.Option("--reason", help="All rows parked for it; may be repeated.")]
Meters = Annotated[list[str] | None, typer.Option("--meter", metavar="NAME", help="All rows of it; may be repeated.")]
Accounts = Annotated[list[str] | None, typer.Option("--account", metavar="ID", help="All rows of it; may be repeated.")]
All = Annotated[bool, typer.Option("--all", help="Every parked row.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be ordered.")]


def park(identifier: Identifier, *, why: Why, who: Who = None, directory: StackDir = None) -> None:
    """Park a delivered row that is missing in Stripe's summary; allowed 3 hours after its delivery."""
    signed = _signed(who, why)
    _one(directory, lambda desk: run.park(desk, identifier, signed))


def retry(  # noqa: PLR0913 - its options
    identifier: OneOrNone = None,
    *,
    why: Why,
    reason: Reasons = None,
    meter: Meters = None,
    account: Accounts = None,
    everything: All = False,
    dry_run: DryRun = False,
    who: Who = None,
    directory: StackDir = None,
) -> None:
    """Send parked rows again as they are, under the same identifiers."""
    signed, choice = _signed(who, why), _choice(identifier, reason, meter, account, everything=everything)
    if choice.identifier is not None and not dry_run:
        text = choice.identifier
        _one(directory, lambda desk: run.retry(desk, text, signed))
        return

    async def plan(desk: Desk, rows: Sequence[ParkedRow]) -> Plan[None]:
        now_ms = desk.now_ms()
        return plan_each(rows, lambda row: check_retry(row.entry, now_ms))

    _many(_Kind("sent again", dry_run), directory, choice, signed, plan, lambda clerk, plan: clerk.retry(_rows(plan)))


def reissue(  # noqa: PLR0913 - its options
    identifier: OneOrNone = None,
    *,
    why: Why,
    customer: Annotated[str | None, typer.Option(metavar="ID", help="Bill this Stripe customer instead.")] = None,
    timestamp: Annotated[str | None, typer.Option(metavar="TIME", help="Bill it at this time, RFC 3339.")] = None,
    now: Annotated[bool, typer.Option("--now", help="Bill it at the current period's start.")] = False,
    reason: Reasons = None,
    meter: Meters = None,
    account: Accounts = None,
    everything: All = False,
    dry_run: DryRun = False,
    who: Who = None,
    directory: StackDir = None,
) -> None:
    """Replace parked rows that Stripe does not have; allowed 3 hours after they were parked."""
    change = Change(customer, None if timestamp is None else parse_time("--timestamp", timestamp), now)
    signed, choice = _signed(who, why), _choice(identifier, reason, meter, account, everything=everything)
    if choice.identifier is not None and not dry_run:
        text = choice.identifier
        _one(directory, lambda desk: run.reissue(desk, text, change, signed))
        return
    _many(
        _Kind("replaced where Stripe does not have them", dry_run),
        directory,
        choice,
        signed,
        lambda desk, rows: plan_reissues(desk, rows, change),
        lambda clerk, plan: clerk.reissue(plan.steps),
    )


def write_off(  # noqa: PLR0913 - its options
    identifier: OneOrNone = None,
    *,
    why: Why,
    reason: Reasons = None,
    meter: Meters = None,
    account: Accounts = None,
    everything: All = False,
    dry_run: DryRun = False,
    who: Who = None,
    yes: Yes = False,
    directory: StackDir = None,
) -> None:
    """Give parked rows up: their units are never billed."""
    signed, choice = _signed(who, why), _choice(identifier, reason, meter, account, everything=everything)
    if choice.identifier is not None and not dry_run:
        text = choice.identifier
        ask(f"Give the row {text} up? Its units are never billed.", yes=yes)
        _one(directory, lambda desk: run.write_off(desk, text, signed))
        return

    async def plan(_desk: Desk, rows: Sequence[ParkedRow]) -> Plan[None]:
        return plan_each(rows, lambda _row: None)

    kind = _Kind("written off", dry_run, None if yes else "Give {} up? Their units are never billed.")
    _many(kind, directory, choice, signed, plan, lambda clerk, plan: clerk.write_off(_rows(plan)))


ORDERS: dict[str, Callable[..., None]] = {"park": park, "retry": retry, "reissue": reissue, "write-off": write_off}


@dataclass(frozen=True, slots=True)
class _Kind:
    """The order in words, and the question before it; None: no question."""

    what: str
    dry_run: bool
    question: str | None = None


def _rows(plan: Plan[Any]) -> list[ParkedRow]:
    return [row for row, _ in plan.steps]


def _choice(
    identifier: str | None,
    reasons: list[ParkReason] | None,
    meters: list[str] | None,
    accounts: list[str] | None,
    *,
    everything: bool,
) -> Choice:
    choice = Choice(
        identifier, frozenset(reasons or ()), frozenset(meters or ()), frozenset(accounts or ()), everything
    )
    choice.check()
    return choice


def _one(directory: Path | None, order: Callable[[Desk], Awaitable[str]]) -> None:
    settings = desk_settings(directory, os.environ)

    async def give() -> str:
        async with open_desk(settings) as desk:
            return await order(desk)

    typer.echo(visible(asyncio.run(give())))


def _many(
    kind: _Kind,
    directory: Path | None,
    choice: Choice,
    signed: Signed,
    make: Callable[[Desk, Sequence[ParkedRow]], Awaitable[Plan[Any]]],
    act: Callable[[Clerk, Plan[Any]], Awaitable[None]],
) -> None:
    settings = desk_settings(directory, os.environ)

    async def give() -> BulkOutcome:
        async with open_desk(settings) as desk:
            plan = await make(desk, await chosen_rows(desk, choice))
            if kind.dry_run or not plan.steps:
                for line in planned_text(kind.what, plan):
                    typer.echo(line)
                return BulkOutcome(left=Counter() if kind.dry_run else Counter(why for _, why in plan.left))
            if kind.question is not None:
                ask(kind.question.format(counted(_rows(plan))), yes=False)
            with Bar(kind.what, len(plan.steps)) as bar:
                clerk = Clerk(desk, signed, bar.at)
                clerk.outcome.left.update(why for _, why in plan.left)
                await act(clerk, plan)
        typer.echo(f"{kind.what}: {amount(clerk.outcome.rows, clerk.outcome.units)}")
        for line in left_text(clerk.outcome.left):
            typer.echo(line)
        return clerk.outcome

    outcome = asyncio.run(give())
    if outcome.ended is not None:
        raise OpsError(outcome.ended)
    raise typer.Exit(NEEDS_A_PERSON if outcome.left else DONE)


def _signed(who: str | None, why: str) -> Signed:
    signed = Signed((who or running_user()).strip(), why.strip())
    for option, words in (("--who", signed.who), ("--why", signed.why)):
        if not 0 < len(words) <= MAX_WORDS:
            raise OpsError(f"{option} must say something, in at most {MAX_WORDS} characters")
    return signed
