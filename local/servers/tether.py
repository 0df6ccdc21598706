"""Runs a command that dies with its parent: `python tether.py PARENT_PID COMMAND [ARGUMENT...]` (Linux only).

A supervisor that is killed with SIGKILL can't stop its children. The kernel can: a process may ask for a signal at its
parent's death (prctl(2), PR_SET_PDEATHSIG), and this stays in force across execve(2). The child itself must ask for it.
A `preexec_fn` would run Python between fork and exec, which can deadlock in a program with threads; this small program
can't. It imports only the standard library, so that it takes only some 15 ms.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, argv: list[str]) -> None:
    """Binds this process's life to that of `parent`, then becomes `argv`."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # the parent died before the call
        sys.exit("the parent process is gone")
    try:
        os.execvp(argv[0], argv)  # noqa: S606 - becoming the command is the purpose
    except OSError as error:
        sys.exit(f"{argv[0]}: {error.strerror}")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
