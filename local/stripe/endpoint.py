"""An endpoint: a method, a path, its parameters, and a synchronous handler.

A handler runs in one transaction and without interruption, so it can safely check and then write.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from local.stripe.errors import Json
from local.stripe.events import EventLog
from local.stripe.lanes import Lane
from local.stripe.objects import Objects
from local.stripe.parameters import P
from local.stripe.rates import Rates
from local.stripe.settings import Settings
from local.stripe.sightings import Sighting
from local.stripe.store import StripeStore
from local.stripe.tokens import Token
from local.stripe.visibility import Shown


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated request: its store and mode, its time, the names in its path, and the events it may see."""

    store: StripeStore
    livemode: bool
    time: float
    token: Token
    path: dict[str, Any]
    settings: Settings
    rates: Rates
    shown: Shown

    @property
    def now(self) -> int:
        """Returns the double's time in whole Unix seconds, as in v1 objects."""
        return int(self.time)

    @property
    def objects(self) -> Objects:
        """Returns the objects of the caller's mode."""
        return Objects(self.store, livemode=self.livemode)

    @property
    def events(self) -> EventLog:
        """Returns the meter events of the caller's mode."""
        return EventLog(self.store, livemode=self.livemode)

    def new_id(self, prefix: str) -> str:
        """Returns a new id such as `cus_...`."""
        return f"{prefix}_{self.token(14)}"


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[P]):
    """One of Stripe's endpoints.

    `lane` returns the lane that a call holds, if any; `sightings` returns the meter events in a request; `by_session`:
    the caller needs a session's token instead of an API key.
    """

    method: str
    path: str
    params: type[P]
    handle: Callable[[Call, P], Json]
    lane: Callable[[Call, P], Lane | None] | None = None
    sightings: Callable[[P], list[Sighting]] | None = None
    by_session: bool = False

    @property
    def v2(self) -> bool:
        """Returns whether requests are JSON and errors have v2's shape."""
        return self.path.startswith("/v2/")
