"""The final comparison: decided from two descriptions alone, so that a test can show that it can fail."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tests.chaos.truth import Place
from tests.support.stack import Origin

MOST_LINES = 40


@dataclass(frozen=True, slots=True)
class Fates:
    """A shard's records by fate; all that were read have exactly one."""

    read: int = 0
    counted: int = 0
    duplicate: int = 0
    dead: int = 0
    rerouted: int = 0
    quarantined: int = 0


@dataclass(slots=True, kw_only=True)
class Expected:
    """What must be, by the publisher's account and the usage log's bytes.

    Attributes:
        period: units by account and meter of the current billing period.
        whole: of all time.
        identities: every event's id, meter and account.
        rejects: reasons by origin.
        fates: what must have become of each partition's records.
    """

    period: Mapping[Place, int]
    whole: Mapping[Place, int]
    identities: set[tuple[str, ...]]
    rejects: Mapping[Origin, str]
    fates: Mapping[int, Fates]


@dataclass(slots=True, kw_only=True)
class Found:
    """What is.

    Attributes:
        totals: what the API says by account and meter.
        billed: what reached Stripe by account and meter.
        logged: the identities in the usage log.
        dead: the dead letters: reasons by origin.
        fates: each shard's records.
        unrest: what is due, in flight, parked or without a customer, by shard.
        conflicting: identifiers that reached Stripe with two bodies.
        verified: the exit code of `billing verify`, and what it said.
        wrong: what those who looked on have seen.
    """

    totals: Mapping[Place, int]
    billed: Mapping[Place, int]
    logged: set[tuple[str, ...]]
    dead: Mapping[Origin, str]
    fates: Mapping[int, Fates]
    unrest: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    conflicting: int = 0
    verified: tuple[int, str] = (0, "")
    wrong: tuple[str, ...] = ()


def differences(expected: Expected, found: Found) -> list[str]:
    """Everything in which the two differ, a line each; empty if all is well."""
    lines = [*found.wrong]
    lines += _units("the API", expected.period, found.totals)
    lines += _units("Stripe", expected.whole, found.billed)
    lines += _named("acknowledged, but not in the log", expected.identities - found.logged)
    lines += _named("in the log, but never acknowledged", found.logged - expected.identities)
    lines += _letters(expected.rejects, found.dead)
    lines += _shards(expected.fates, found.fates)
    lines += [f"shard {shard}: {what}" for shard, what in sorted(found.unrest.items()) if any(what.values())]
    if found.conflicting:
        lines.append(f"{found.conflicting} identifiers reached Stripe with two bodies")
    if found.verified[0] != 0:
        lines.append(f"billing verify exits with {found.verified[0]}: {found.verified[1]}")
    return lines


def _units(where: str, expected: Mapping[Place, int], found: Mapping[Place, int]) -> Iterator[str]:
    for account, meter in sorted(expected.keys() | found.keys()):
        meant, has = expected.get((account, meter), 0), found.get((account, meter), 0)
        if meant != has:
            yield f"{where}: {account} {meter}: {has} instead of {meant} ({has - meant:+d})"


def _named(what: str, identities: set[tuple[str, ...]]) -> Iterator[str]:
    if identities:
        yield f"{len(identities)} events {what}: {', '.join(map(' '.join, sorted(identities)[:MOST_LINES]))}"


def _letters(expected: Mapping[Origin, str], found: Mapping[Origin, str]) -> Iterator[str]:
    for origin in sorted(expected.keys() | found.keys()):
        if expected.get(origin) != found.get(origin):
            yield f"dead letter {origin}: {found.get(origin)} instead of {expected.get(origin)}"


def _shards(expected: Mapping[int, Fates], found: Mapping[int, Fates]) -> Iterator[str]:
    for shard in sorted(expected.keys() | found.keys()):
        if expected.get(shard) != found.get(shard):
            yield f"shard {shard}: {found.get(shard)} instead of {expected.get(shard)}"
