"""With what number a process ends. What each means to a supervisor or a script stands in docs/exit-codes.md."""

DONE = 0
CANNOT_GO_ON = 1
NEEDS_A_PERSON = 1
WRONG_USAGE = 2  # typer's and argparse's own
CANNOT_TELL = 2
INTERRUPTED = 130  # Ctrl-C, as shells count: 128 and the signal's number
