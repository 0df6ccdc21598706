"""The `billing` command: the list of its commands, and the handling of their errors."""

import logging
from importlib import import_module
from importlib.metadata import version as version_of
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from runtime.exit_codes import CANNOT_GO_ON
from runtime.failing import explain, say

# Name → module, and the text in `billing --help`. A module is imported only when its command is called: one command
# does not wait for the imports of another.
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("ops.up", "Run the whole system on this machine, with demo traffic."),
    "topics": ("ops.topics", "Create the Kafka topics, and verify them."),
    "accounts": ("ops.accounts.command", "Set and show accounts: Stripe customer, anchor, subscription start."),
    "keys": ("ops.keys", "Create, list and revoke API keys."),
    "emit": ("ops.emit", "Publish usage events."),
    "replay": ("ops.replay.command", "Publish events again, from the log or from files."),
    "dlq": ("ops.dlq.command", "Look through the dead letters, publish them again, or discard them."),
    "status": ("ops.status.command", "Say what needs a person, why, and what mends it."),
    "verify": ("ops.verify.command", "Count the usage log once more, and compare with Redis."),
    "rebuild": ("ops.rebuild.command", "Clear shards, and let them be folded again from Kafka."),
    "quarantine": ("ops.quarantine.command", "Let a shard pass by what stops it."),
    "drain": ("ops.drain", "Let a shard go on whose records are nearly all rejected."),
    "stripe": ("ops.stripe.command", "Prepare Stripe, and look after the rows that wait for a person."),
    "explain": ("ops.explain.command", "Show the usage events behind a row at Stripe."),
    "stripe-double": ("ops.stripe_double", "Serve a stand-in for Stripe."),
}


class LazyGroup(TyperGroup):
    """Lists the commands by name and help; imports a command only when it is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Returns the command that the arguments name."""
        name, placeholder, rest = super().resolve_command(ctx, args)
        if name is None or name not in COMMANDS:
            return name, placeholder, rest
        module, text = COMMANDS[name]
        command = typer.main.get_command(import_module(module).app)
        command.name, command.help = name, command.help or text
        return name, command, rest

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. An error with an explanation is explained on standard error, with exit code 1."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            explanation = explain(error)
            if explanation is None:
                raise
            say(f"billing: {explanation}")
            raise typer.Exit(CANNOT_GO_ON) from error


app = typer.Typer(
    cls=LazyGroup,
    help="Usage metering and billing: run it, and look after it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they show local variables, and with them secrets
)


def _version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"billing {version_of('telephony-billing')}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=lambda wanted: _version(wanted=wanted), is_eager=True)
    ] = False,
) -> None:
    """Usage metering and billing: run it, and look after it."""
    logging.getLogger().addHandler(logging.NullHandler())  # hides the clients' logs of an error that we report


def _placeholder() -> None:
    """Stands for a command in the list of commands."""


for _name, (_, _help) in COMMANDS.items():
    app.command(_name, help=_help)(_placeholder)
