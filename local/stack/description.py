"""`stack.json`: clients, tests and the `billing` command find a running stack by this file."""

import fcntl
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.stack.errors import StackError
from local.stack.private_file import replace_private
from local.stack.supervisor import RunningProcess

NAME = "stack.json"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class StackFile:
    """The description of a running stack.

    Attributes:
        env: the BILLING_* variables that a client or a further service needs.
        api_keys: the demo accounts' keys, by account.
        processes: the services' present processes.
    """

    env: Mapping[str, str]
    api_keys: Mapping[str, str]
    processes: Sequence[RunningProcess]

    def write(self, directory: Path) -> None:
        """Writes or replaces the file in the directory. Only its owner can read it, because it holds keys."""
        described = {
            "env": dict(sorted(self.env.items())),
            "api_keys": dict(self.api_keys),
            "processes": [{"name": each.name, "pid": each.pid, "log": str(each.log)} for each in self.processes],
        }
        replace_private(directory / NAME, json.dumps(described, indent=2) + "\n")


def remove_stack_file(directory: Path) -> None:
    """Removes the file: no stack runs here any more."""
    (directory / NAME).unlink(missing_ok=True)


def read_stack_env(directory: Path) -> dict[str, str] | None:
    """Returns the `env` of the directory's stack; None if no stack runs there.

    Raises:
        StackError: the file is damaged; or its supervisor was killed, so that the file may be out of date.
    """
    file = directory / NAME
    try:
        described = json.loads(file.read_text())
        env = {str(name): str(value) for name, value in described["env"].items()}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StackError(f"{file} can't be read ({error}): start the stack again with billing up") from error
    if _is_abandoned(directory / LOCK):
        raise StackError(f"the stack in {directory} was killed: start it again with billing up --dir {directory}")
    return env


def _is_abandoned(lock: Path) -> bool:
    """Returns whether no process holds the lock: a supervisor holds it as long as it lives."""
    try:
        with lock.open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:  # the lock is held; or there is none, so that no supervisor of this machine wrote the file
        return False
    return True
