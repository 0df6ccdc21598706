"""Forks: a child is told before anything else runs in it (gunicorn's preload, multiprocessing's fork)."""

import os
from typing import Protocol
from weakref import WeakSet


class Forked(Protocol):
    """Who wants to be told."""

    def after_fork(self) -> None:
        """Called in the child, in its only thread."""


_listeners: WeakSet[Forked] = WeakSet()
_parents: list[object] = []


def tell_after_fork(listener: Forked) -> None:
    """As long as it lives."""
    _listeners.add(listener)


def keep_for_ever(thing: object) -> None:
    """What is the parent's is not collected in the child: its finalizers would speak on the parent's connection."""
    _parents.append(thing)


def _tell() -> None:
    for listener in list(_listeners):
        listener.after_fork()


os.register_at_fork(after_in_child=_tell)
