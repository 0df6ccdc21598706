"""Who is connected: how many at most, how many from one address, and who makes room when every place is taken."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from runtime.addresses import neighbourhood


class Admission(StrEnum):
    """What becomes of somebody who connects."""

    WELCOME = "welcome"
    CROWDED = "crowded"
    """Requests of the same address, which are being answered, take all places that one may have."""
    FULL = "full"
    """Requests that are being answered take every place."""


class Guest(Protocol):
    """A connection."""

    def make_room(self) -> None:
        """Ends: somebody else gets the place. It was waiting for its client."""
        ...


Guests = dict[Guest, None]
"""In the order in which they came."""


@dataclass(slots=True)
class _Client:
    """The connections of one address, and those of them that wait for it, in the order in which they began to."""

    guests: Guests = field(default_factory=dict)
    waiting: Guests = field(default_factory=dict)


class Door:
    """Gives places to connections.

    When all are taken, the connection that has waited longest for its client gives up its own: a client needs
    milliseconds to send a request, so whoever is silent for longer than everybody else is the one to be missed least.
    Who has all the places of one address makes room for itself.
    """

    def __init__(self, places: int, places_of_one: int, *, unbounded: Callable[[str], bool]) -> None:
        """An address for which `unbounded` holds may have all places: a proxy, behind which many clients are."""
        self._places = places
        self._places_of_one = places_of_one
        self._unbounded = unbounded
        self._guests: dict[Guest, str] = {}
        self._clients: dict[str, _Client] = {}
        self._waiting: Guests = {}

    def enter(self, guest: Guest, address: str) -> Admission:
        """A place for a connection that waits for its client's first request, if there is one."""
        name = neighbourhood(address)
        client = self._clients.get(name) or _Client()
        if len(client.guests) >= self._places_of_one and not self._unbounded(address):
            if not self._make_room(client.waiting):
                return Admission.CROWDED
        elif len(self._guests) >= self._places and not self._make_room(self._waiting):
            return Admission.FULL
        self._clients[name] = client
        self._guests[guest] = name
        client.guests[guest] = client.waiting[guest] = self._waiting[guest] = None
        return Admission.WELCOME

    def works(self, guest: Guest) -> None:
        """Its client has sent a request: it is being answered."""
        if guest in self._waiting:
            del self._waiting[guest]
            del self._clients[self._guests[guest]].waiting[guest]

    def waits(self, guest: Guest) -> None:
        """It waits for its client: from now on, unless it does so already."""
        name = self._guests.get(guest)
        if name is not None and guest not in self._waiting:
            self._waiting[guest] = self._clients[name].waiting[guest] = None

    def leave(self, guest: Guest) -> None:
        """Its place is free; whoever has none leaves none."""
        if guest not in self._guests:
            return
        self.works(guest)
        name = self._guests.pop(guest)
        client = self._clients[name]
        del client.guests[guest]
        if not client.guests:
            del self._clients[name]

    def _make_room(self, waiting: Guests) -> bool:
        """Whether one of them was there to give up its place."""
        longest = next(iter(waiting), None)
        if longest is None:
            return False
        self.leave(longest)
        longest.make_room()
        return True
