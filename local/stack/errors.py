"""What keeps a stack from coming up."""


class StackError(RuntimeError):
    """The stack can't run as asked; the message says why and what to do."""
