"""The error of a stack that can't run."""


class StackError(RuntimeError):
    """The stack can't run as asked; the message says why and what to do."""
