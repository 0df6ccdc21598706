"""What can be wrong with the disk spool, apart from the disk itself."""


class SpoolError(RuntimeError):
    """The spool cannot do what was asked; the event was not accepted."""


class SpoolFullError(SpoolError):
    """The spool has reached its bound."""


class SpoolLockedError(SpoolError):
    """Another process, or another emitter of this one, uses the directory."""


class SpoolClosedError(SpoolError):
    """The spool, or the emitter that owns it, was closed."""


class SpoolCorruptError(SpoolError):
    """A complete line of a segment is not a record."""
