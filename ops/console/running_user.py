"""Who runs a command: kept with what the command writes."""

import getpass
import os


def running_user() -> str:
    """The user's name; the number where there is none, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
