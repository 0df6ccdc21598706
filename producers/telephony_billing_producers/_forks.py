"""Forks: calls listeners in a child before anything else runs there (gunicorn's preload, multiprocessing's fork)."""

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """A listener for forks."""

    def after_fork(self) -> None:
        """Called in the child, in its only thread."""


_listeners: WeakSet[Forked] = WeakSet()
_parents: list[object] = []


def tell_after_fork(listener: Forked) -> None:
    """Calls the listener after every fork, as long as it lives."""
    _listeners.add(listener)


def keep_for_ever(thing: object) -> None:
    """Keeps an object of the parent alive in the child: its finalizer would send on the parent's connection."""
    _parents.append(thing)


def _tell() -> None:
    for listener in list(_listeners):
        listener.after_fork()


os.register_at_fork(after_in_child=_tell)
