"""The findings of the whole system, as tables. A cause hides its effects, and nothing else."""

from dataclasses import replace
from typing import Any

import pytest

from ledger.state import Log
from metering.stop import Stop, StopReason
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from ops.logs.dead_letters import DeadLetter, DeadLetters, LetterMark, LetterOrigin, LetterPlace, MarkKind
from ops.status.report import LogPlace
from ops.status.system import EFFECTS, System, findings, without_effects
from tests.ops.status.shards import EMPTY, FINE, NOW, ago, held

LONG_AGO = {"as_of_ms": ago(200), "push_as_of_ms": ago(300)}
STOPPED = {Log.USAGE: Stop(StopReason.REJECTS, 1000, None, "nearly all", ago(9))}


def system(*shards: dict[str, Any], **changes: Any) -> System:
    """One of some shards."""
    reports = (replace(FINE, shard=number, **each) for number, each in enumerate(shards))
    return System(NOW, tuple(reports), **changes)


def troubles(seen: System) -> set[Trouble]:
    """The system's troubles."""
    return {each.trouble for each in findings(seen)}


SERVICES: list[tuple[System, set[Trouble]]] = [
    (system({}, {}), set()),
    (system(LONG_AGO, LONG_AGO), {Trouble.AGGREGATOR_AWAY, Trouble.STRIPE_WORKER_AWAY}),
    (system(LONG_AGO, {}), {Trouble.STALE, Trouble.PUSH_LOG_STALE}),
    (system({"as_of_ms": ago(200)}, EMPTY | {"stalled": True}), {Trouble.AGGREGATOR_AWAY}),
    (system({"as_of_ms": ago(200)}, whole=False), {Trouble.STALE}),
    (system({"as_of_ms": ago(200), "stops": STOPPED}), {Trouble.REJECTS}),
    (
        system({"as_of_ms": ago(200), "stops": STOPPED}, {"as_of_ms": ago(200)}),
        {Trouble.REJECTS, Trouble.AGGREGATOR_AWAY},
    ),
    (system(held(400)), {Trouble.TRANSACTION_OPEN}),
    (system(EMPTY | {"stalled": True}), {Trouble.NOT_BEGUN}),
    (system({}, api_silence=90), {Trouble.API_AWAY}),
    (system({}, api_silence=10), {Trouble.API_QUIET}),
    (system({}, api_silence=7), set()),
    (system(LONG_AGO | {"refuses": "maxmemory"}, LONG_AGO, api_silence=90), {Trouble.REDIS_REFUSES}),
    (system({"refuses": "snapshot"}), set()),
    (system(EMPTY | {"stalled": True, "refuses": "maxmemory"}), {Trouble.REDIS_REFUSES}),
]


@pytest.mark.parametrize(("seen", "expected"), SERVICES)
def test_a_service_is_away_when_nothing_is_looked_after_and_nothing_says_why(
    seen: System, expected: set[Trouble]
) -> None:
    """One shard in progress shows that it is there. For a copy that nobody reads, its services' notices are enough."""
    assert troubles(seen) == expected


@pytest.mark.parametrize("cause", EFFECTS)
def test_a_cause_hides_its_effects(cause: Trouble) -> None:
    """A shard's cause in its shard, a system's cause everywhere. Other troubles stay."""
    effects = [Finding(trouble, 1) for trouble in EFFECTS[cause]]

    left = without_effects([Finding(cause, 1), *effects, Finding(Trouble.ROWS_PARKED, 1)])

    assert [each.trouble for each in left] == [cause, Trouble.ROWS_PARKED]


def test_what_one_shard_suffers_from_explains_no_other() -> None:
    """A shard's push log explains that shard, not its neighbour."""
    found = [
        Finding(Trouble.BILLING_STOPPED, 1),
        Finding(Trouble.PUSH_LOG_STALE, 1),
        Finding(Trouble.PUSH_LOG_STALE, 2),
    ]

    assert without_effects(found) == [found[0], found[2]]


def test_a_server_that_is_away_is_the_only_thing_that_is_told_of_its_absence() -> None:
    """Without Kafka nothing is fresh, and no service counts as missing for that."""
    away = [Finding(Trouble.KAFKA_AWAY, detail="refused")]
    unknown = LONG_AGO | {"usage": LogPlace(1000), "pushes": LogPlace(20), "parked": {"lost": 1}}

    assert troubles(system(unknown, unknown, away=away)) == {Trouble.KAFKA_AWAY, Trouble.ROWS_PARKED}
    assert troubles(system(away=[Finding(Trouble.REDIS_AWAY)])) == {Trouble.REDIS_AWAY}


def test_records_among_the_orders_that_are_none_are_told() -> None:
    """With their key and the reason."""
    (found,) = findings(system({}, order_faults={"x": "no JSON"}, orders_log="usage.quarantine"))

    assert str(found) == "records in usage.quarantine are no orders: 'x': no JSON"


def letter(at: int, seconds_ago: float, **changes: Any) -> DeadLetter:
    """A letter of a record with this age."""
    origin, place = LetterOrigin("usage.events", 0, at), LetterPlace(0, at)
    plain = DeadLetter(origin, place, "unknown_meter", "", NOW // 1000 - int(seconds_ago), "/sms", "acme")
    return replace(plain, **changes)


def letters(*each: DeadLetter, **changes: Any) -> DeadLetters:
    """The letters."""
    return DeadLetters({one.origin: one for one in each}, **changes)


def test_dead_letters_grow_while_young_records_become_some() -> None:
    """By reason and source; old letters are no alarm, and handled ones do not count."""
    done = LetterMark(MarkKind.REDRIVEN, "ops", "2026-01-01T00:00:00Z", "")
    held = letters(letter(1, 10), letter(2, 20), letter(3, 5, source=None), letter(4, 9000), letter(5, 5, mark=done))

    assert [str(each) for each in findings(system({}, letters=held))] == [
        "records of the last hour could not be counted (unknown_meter): 3: from /sms (2), unreadable (1)",
        "older dead letters are open (unknown_meter): 1",
    ]
    assert troubles(system({}, letters=letters())) == set()


def test_letters_that_can_not_be_read_are_told() -> None:
    """They may be anybody's."""
    assert troubles(system({}, letters=letters(unreadable=("the batch at 7",)))) == {Trouble.DEAD_LETTERS_UNREADABLE}
