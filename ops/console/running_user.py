"""The user who runs a command. Orders and marks keep the name."""

import getpass
import os


def running_user() -> str:
    """Returns the user's name; the user's number where there is no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
