"""The errors of events and of the disk spool. Errors of the disk itself are OSError."""


class InvalidEventError(ValueError):
    """The event breaks a bound; nothing was sent. The message says which bound, and what to do."""


class SpoolError(RuntimeError):
    """The spool cannot do what was asked; the event was not accepted."""


class SpoolFullError(SpoolError):
    """The spool has reached its bound."""


class SpoolLockedError(SpoolError):
    """Other processes, or other emitters of this one, use every slot of the directory."""


class SpoolClosedError(SpoolError):
    """The spool, or the emitter that owns it, was closed."""


class SpoolCorruptError(SpoolError):
    """A complete line of a segment is not a record."""
