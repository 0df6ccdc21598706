"""The error of a command, for the person who called it."""


class OpsError(Exception):
    """The command can't do what was asked; the message says why and what to do."""
