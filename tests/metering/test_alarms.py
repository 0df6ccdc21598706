"""Alarms ring early enough for somebody to act."""

import pytest

from metering.alarms import Distances, Standing, alarms
from metering.troubles.names import Trouble

NOW, DAY = 1_781_956_800, 86_400
DISTANCES = Distances(cutoff=1800, too_old=4 * DAY, in_flight=43_200, skew=60)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(), set()),
        (Standing(cutoff=NOW + 1800), set()),
        (Standing(cutoff=NOW + 1799), {Trouble.CUTOFF_NEAR}),
        (Standing(cutoff=NOW - 1), {Trouble.CUTOFF_NEAR}),
        (Standing(oldest=NOW - 30 * DAY), set()),
        (Standing(oldest=NOW - 30 * DAY - 1), {Trouble.TOO_OLD_NEAR}),
        (Standing(in_flight_since=NOW - 43_200), set()),
        (Standing(in_flight_since=NOW - 43_201), {Trouble.IN_FLIGHT_LONG}),
        (Standing(skew=60), set()),
        (Standing(skew=61), {Trouble.CLOCK_SKEW}),
        (Standing(skew=-61), {Trouble.CLOCK_SKEW}),
        (Standing(parked_since=NOW - 100 * DAY), set()),
        (Standing(parked_since=NOW - 100 * DAY - 1), {Trouble.PARKED_LONG}),
        (Standing(disputed=1), {Trouble.DISPUTED}),
        (Standing(missing=1), {Trouble.MISSING}),
    ],
)
def test_an_alarm_rings_at_its_distance(standing: Standing, expected: set[Trouble]) -> None:
    """Nothing due rings nothing; each has its own distance."""
    assert {found.trouble for found in alarms(3, standing, NOW, DISTANCES)} == expected


def test_an_alarm_says_what_it_is_about() -> None:
    """The units, the time left, and whose they are."""
    standing = Standing(cutoff=NOW + 600, disputed=7, disputing=["a", "b"], skew=-90)
    said = [str(found) for found in alarms(3, standing, NOW, DISTANCES)]
    assert said == [
        "shard 3: due units miss their invoice in 10 min, and are carried forward then",
        "Kafka's clock and a Stripe worker's are 90 s apart: Kafka's is -90 s from the worker's",
        "shard 3: 7 units wait: several accounts claim their customer: accounts a, b",
    ]
