"""Scripted faults: rules for the requests that fail, how often, and in which way."""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from random import Random
from typing import Annotated, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MatchedRequest(Protocol):
    """The request that rules are matched with; `text` is its path, query and body."""

    @property
    def text(self) -> str: ...  # noqa: D102

    path: str


class Fault(StrEnum):
    """The kinds of fault. After the first four, the request was executed; after all others it was not."""

    ACCEPT_THEN_DROP = "accept_then_drop"
    ERROR_AFTER = "error_after"
    TRUNCATED = "truncated"
    SLOW = "slow"
    REFUSE_AND_DROP = "refuse_and_drop"
    DISCONNECT = "disconnect"
    ERROR_BEFORE = "error_before"
    CONFLICT = "conflict"
    RATE_LIMITED = "rate_limited"
    BAD_GATEWAY = "bad_gateway"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    SESSION_EXPIRED = "session_expired"


EXECUTED = frozenset({Fault.ACCEPT_THEN_DROP, Fault.ERROR_AFTER, Fault.TRUNCATED, Fault.SLOW})
"""The faults before which the request is executed normally."""


class Match(BaseModel):
    """Selects requests; an absent field matches all.

    Attributes:
        method: GET, POST or DELETE.
        path: the path; * matches anything.
        customer: a customer's id in the path, the query or the body.
        meter: a meter's id or event name in the path, the query or the body.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: str | None = None
    path: str | None = None
    customer: str | None = None
    meter: str | None = None

    def fits(self, method: str, path: str, text: str) -> bool:
        """Returns whether the request matches."""
        return (
            self.method in {None, method}
            and (self.path is None or fnmatchcase(path, self.path))
            and all(name is None or _names(text, name) for name in (self.customer, self.meter))
        )


class Rule(BaseModel):
    """A fault, and when it happens.

    Attributes:
        times: the number of times that it fires; default: once, or without limit if `probability` is given.
        probability: the probability that it fires for a matching request, drawn from `seed`.
        seconds: the time that a slow answer takes; for a rate limit, the value of Retry-After.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    fault: Fault
    match: Match = Match()
    times: Annotated[int, Field(ge=1)] | None = None
    probability: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: int = 0
    seconds: Annotated[float, Field(ge=0, le=600)] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _once(cls, given: object) -> object:
        if isinstance(given, dict) and "times" not in given and "probability" not in given:
            return given | {"times": 1}
        return given


@dataclass(slots=True)
class Scripted:
    """A rule, and the number of times that it has fired."""

    rule: Rule
    fired: int = 0
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(self.rule.seed)  # noqa: S311 - reproducible on purpose

    @property
    def spent(self) -> bool:
        """Returns whether the rule has fired `times` times."""
        return self.rule.times is not None and self.fired >= self.rule.times

    def fires(self, method: str, path: str, text: str) -> bool:
        """Returns whether the rule fires for this request; draws a number only for a matching one."""
        if self.spent or not self.rule.match.fits(method, path, text):
            return False
        hit = self.rule.probability is None or self.random.random() < self.rule.probability
        self.fired += hit
        return hit


@dataclass(slots=True)
class Faults:
    """The script: the first rule that fires decides."""

    scripted: list[Scripted] = field(default_factory=list)

    def add(self, rules: list[Rule]) -> None:
        """Appends rules."""
        self.scripted += [Scripted(rule) for rule in rules]

    def clear(self) -> None:
        """Removes all rules."""
        self.scripted = []

    def next(self, method: str, request: MatchedRequest) -> Rule | None:
        """Returns the rule that fires for a request; None if none does."""
        if not self.scripted:
            return None
        path, text = request.path, request.text
        return next((each.rule for each in self.scripted if each.fires(method, path, text)), None)


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) is not None
