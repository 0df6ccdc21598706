"""`stack.json`: how clients, tests and the `billing` command find a running stack."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.stack.private_file import replace_private
from local.stack.supervisor import RunningProcess

NAME = "stack.json"


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a running stack tells.

    Attributes:
        env: the BILLING_* variables that a client or a further service needs.
        api_keys: the demo accounts' keys, by account.
        processes: each service's present process.
    """

    env: Mapping[str, str]
    api_keys: Mapping[str, str]
    processes: Sequence[RunningProcess]

    def write(self, directory: Path) -> None:
        """Writes or replaces the directory's file, readable by its owner only: it holds keys."""
        described = {
            "env": dict(sorted(self.env.items())),
            "api_keys": dict(self.api_keys),
            "processes": [{"name": each.name, "pid": each.pid, "log": str(each.log)} for each in self.processes],
        }
        replace_private(directory / NAME, json.dumps(described, indent=2) + "\n")


def remove_stack_file(directory: Path) -> None:
    """Nothing runs here any more."""
    (directory / NAME).unlink(missing_ok=True)


def read_stack_env(directory: Path) -> dict[str, str] | None:
    """The `env` of the directory's stack; None where none runs."""
    try:
        described = json.loads((directory / NAME).read_text())
    except FileNotFoundError:
        return None
    return {str(name): str(value) for name, value in described["env"].items()}
