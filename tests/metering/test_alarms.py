"""Alarms ring early enough for somebody to act."""

import pytest

from metering.alarms import Alarm, Distances, Standing, alarms

NOW, DAY = 1_781_956_800, 86_400
DISTANCES = Distances(cutoff=1800, too_old=4 * DAY, in_flight=43_200, skew=60)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (Standing(), set()),
        (Standing(cutoff=NOW + 1800), set()),
        (Standing(cutoff=NOW + 1799), {Alarm.CUTOFF_NEAR}),
        (Standing(cutoff=NOW - 1), {Alarm.CUTOFF_NEAR}),
        (Standing(oldest=NOW - 30 * DAY), set()),
        (Standing(oldest=NOW - 30 * DAY - 1), {Alarm.TOO_OLD_NEAR}),
        (Standing(in_flight_since=NOW - 43_200), set()),
        (Standing(in_flight_since=NOW - 43_201), {Alarm.IN_FLIGHT_LONG}),
        (Standing(skew=60), set()),
        (Standing(skew=61), {Alarm.CLOCK_SKEW}),
        (Standing(skew=-61), {Alarm.CLOCK_SKEW}),
        (Standing(cutoff=NOW, oldest=0, in_flight_since=0, skew=1e6), set(Alarm)),
    ],
)
def test_an_alarm_rings_at_its_distance(standing: Standing, expected: set[Alarm]) -> None:
    """Nothing due rings nothing; each has its own distance."""
    assert alarms(standing, NOW, DISTANCES) == expected
