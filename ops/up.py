"""`billing up`: runs the whole system on this machine."""

import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from local.servers.kafka_files import default_cache
from local.stack.display import make_display
from local.stack.plan import StackOptions
from local.stack.run import run_stack
from ops.console.target import DEFAULT_DIRECTORY
from ops.logs.table_log import write_records

app = typer.Typer(add_completion=False)


@app.command()
def up(
    *,
    fresh: Annotated[bool, typer.Option("--fresh", help="Start empty.")] = False,
    demo: Annotated[bool, typer.Option(help="With demo accounts and traffic.")] = True,
    directory: Annotated[Path, typer.Option("--dir", help="The directory for data and logs.")] = DEFAULT_DIRECTORY,
    aggregators: Annotated[int, typer.Option(min=1, help="Number of aggregators.")] = 1,
    stripe_workers: Annotated[int, typer.Option(min=1, help="Number of Stripe workers.")] = 1,
) -> None:
    """Run Kafka, Redis, a stand-in for Stripe and every service, until Ctrl-C.

    Servers that the environment names (BILLING_KAFKA_BOOTSTRAP_SERVERS, BILLING_REDIS_URL, BILLING_STRIPE_API_BASE
    or a test-mode BILLING_STRIPE_API_KEY) are used instead of the stack's own.
    """
    options = StackOptions(
        directory=directory.resolve(),
        fresh=fresh,
        demo=demo,
        aggregators=aggregators,
        stripe_workers=stripe_workers,
    )
    run_stack(
        options,
        os.environ,
        display=make_display(sys.stdout),
        write=write_records,
        cache=default_cache(),
        command=_command,
    )


def _command(directory: Path, *words: str) -> str:
    program = "billing" if shutil.which("billing") else _shown(Path(sys.executable).with_name("billing"))
    where = [] if directory == DEFAULT_DIRECTORY.resolve() else ["--dir", str(directory)]
    return shlex.join([program, *words, *where])


def _shown(program: Path) -> str:
    """Returns the path relative to the current directory if it is below it, such as `.venv/bin/billing`."""
    return str(program.relative_to(Path.cwd())) if program.is_relative_to(Path.cwd()) else str(program)
