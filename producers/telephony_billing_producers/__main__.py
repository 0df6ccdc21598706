"""`python -m telephony_billing_producers`: the library's commands."""

import argparse
import sys

from ._monthly.command import add_command
from .signals import exit_on_sigterm


def main() -> None:
    """Runs a command, and ends with its status."""
    parser = argparse.ArgumentParser(prog="python -m telephony_billing_producers")
    add_command(parser.add_subparsers(required=True, metavar="COMMAND"))
    arguments = parser.parse_args()
    exit_on_sigterm()
    sys.exit(arguments.run(arguments))


if __name__ == "__main__":
    main()
