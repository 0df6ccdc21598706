"""Finds the system that a command talks to: a stack's directory, else the environment, else the stack in `.local`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from local.stack.description import NAME, read_stack_env
from ops.console.errors import OpsError

DEFAULT_DIRECTORY = Path(".local")

StackDir = Annotated[
    Path | None,
    typer.Option("--dir", help="The directory of a running stack. Default: the environment, else .local."),
]


def find_env(directory: Path | None, environ: Mapping[str, str], *variables: str) -> Mapping[str, str]:
    """Returns the BILLING_* variables that a command uses.

    Args:
        directory: the directory of a stack, if the caller named one.
        environ: this process's environment.
        variables: if the environment sets any of them, the command uses the environment.

    Raises:
        OpsError: no stack runs in the directory; or there is neither a stack nor a variable.
    """
    if directory is None and any(environ.get(name) for name in variables):
        return environ
    where = directory or DEFAULT_DIRECTORY
    env = read_stack_env(where)
    if env is not None:
        return env
    if directory is not None:
        raise OpsError(f"no stack runs in {where} ({where / NAME} is missing): start it with billing up --dir {where}")
    raise OpsError(f"no stack runs here: start one with billing up, name one with --dir, or set {variables[0]}")


KAFKA = "BILLING_KAFKA_BOOTSTRAP_SERVERS"
REDIS = "BILLING_REDIS_URL"
STRIPE_KEY = "BILLING_STRIPE_API_KEY"
