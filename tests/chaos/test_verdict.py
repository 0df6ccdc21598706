"""The comparison can fail: whatever is changed in one of two equal descriptions is reported."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.chaos.truth import Truth, Usage, shown
from tests.chaos.verdict import Expected, Fates, Found, differences

ORIGIN = ("usage.events", 1, 3)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
TRUTH = Truth()
TRUTH.acknowledge(Usage("u1", "a", "sms.send", 4, NOW))
TRUTH.acknowledge(Usage("u2", "a", "sms.send", 3, NOW))
TRUTH.acknowledge(Usage("u3", "b", "voice.ai", 2, NOW.replace(month=2)))


def expected(truth: Truth = TRUTH) -> Expected:
    """Three events, one of them of the period before; a duplicate, a re-routed record and a reject lie beside them."""
    rejects = {ORIGIN: "invalid_json"}
    fates = {0: Fates(read=3, counted=2, duplicate=1), 1: Fates(read=4, counted=1, duplicate=1, dead=1, rerouted=1)}
    return Expected(
        period=truth.since(NOW), whole=truth.whole(), identities=truth.identities(), rejects=rejects, fates=fates
    )


FOUND = Found(
    totals={("a", "sms.send"): 7, ("a", "voice.ai"): 0, ("b", "voice.ai"): 0},
    billed={("a", "sms.send"): 7, ("b", "voice.ai"): 2},
    logged={("u1", "sms.send", "a"), ("u2", "sms.send", "a"), ("u3", "voice.ai", "b")},
    dead={ORIGIN: "invalid_json"},
    fates={0: Fates(read=3, counted=2, duplicate=1), 1: Fates(read=4, counted=1, duplicate=1, dead=1, rerouted=1)},
    unrest={0: {}, 1: {}},
)


def test_nothing_differs_where_all_is_equal() -> None:
    """Given what was counted and billed as it was published, there is nothing to say."""
    assert differences(expected(), FOUND) == []


def test_an_event_that_the_truth_lacks_is_reported_everywhere() -> None:
    """Given an event that was counted and billed but not published, API, Stripe and log differ by it."""
    truth = Truth()
    for usage in (Usage("u1", "a", "sms.send", 4, NOW), Usage("u3", "b", "voice.ai", 2, NOW.replace(month=2))):
        truth.acknowledge(usage)

    assert differences(expected(truth), FOUND) == [
        "the API: a sms.send: 7 instead of 4 (+3)",
        "Stripe: a sms.send: 7 instead of 4 (+3)",
        "1 events in the log, but never acknowledged: u2 sms.send a",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (lambda found: replace(found, totals={}), "the API: a sms.send: 0 instead of 7 (-7)"),
        (lambda found: replace(found, billed={}), "Stripe: b voice.ai: 0 instead of 2 (-2)"),
        (lambda found: replace(found, billed=found.billed | {("cus", "x"): 1}), "Stripe: cus x: 1 instead of 0 (+1)"),
        (
            lambda found: replace(found, logged=found.logged - {("u3", "voice.ai", "b")}),
            "1 events acknowledged, but not in the log: u3 voice.ai b",
        ),
        (lambda found: replace(found, dead={}), f"dead letter {ORIGIN}: None instead of invalid_json"),
        (lambda found: replace(found, dead={ORIGIN: "empty"}), f"dead letter {ORIGIN}: empty instead of invalid_json"),
        (
            lambda found: replace(found, dead=found.dead | {("t", 0, 1): "empty"}),
            "dead letter ('t', 0, 1): empty instead of None",
        ),
        (
            lambda found: replace(found, fates=found.fates | {0: Fates(read=3, counted=3)}),
            f"shard 0: {Fates(read=3, counted=3)} instead of {Fates(read=3, counted=2, duplicate=1)}",
        ),
        (
            lambda found: replace(found, fates={0: found.fates[0]}),
            f"shard 1: None instead of {FOUND.fates[1]}",
        ),
        (lambda found: replace(found, unrest={1: {"parked": 1}}), "shard 1: {'parked': 1}"),
        (lambda found: replace(found, conflicting=1), "1 identifiers reached Stripe with two bodies"),
        (lambda found: replace(found, verified=(1, "unequal")), "billing verify exits with 1: unequal"),
        (lambda found: replace(found, wrong=("a total shrank",)), "a total shrank"),
    ],
)
def test_each_difference_is_reported(changed: Callable[[Found], Found], said: str) -> None:
    """Given one change in what was found, a line says so."""
    assert said in differences(expected(), changed(FOUND))


def test_a_repeated_acknowledgement_is_one_event() -> None:
    """Given an event that was published and acknowledged twice, the truth holds it once."""
    truth = Truth()
    for _ in range(2):
        truth.acknowledge(Usage("u1", "a", "sms.send", 4, NOW))

    assert shown(truth.whole(), "a")["sms.send"] == 4
