"""Findings in words: those of one cause are one, and each says what mends it."""

import pytest

from metering.stop import Stop, StopReason
from metering.troubles.catalogue import TROUBLES
from metering.troubles.entry import Severity
from metering.troubles.finding import (
    Finding,
    duration,
    from_json,
    grouped,
    needs_a_person,
    numbers,
    of_stop,
    to_json,
)
from metering.troubles.names import Trouble


def stale(shard: int, seconds: float) -> Finding:
    """A shard that was not caught up."""
    return Finding(Trouble.STALE, shard, {"seconds": seconds})


def parked(shard: int, reason: str, rows: int) -> Finding:
    """Parked rows of a shard."""
    return Finding(Trouble.ROWS_PARKED, shard, {"reason": reason, "rows": rows})


def test_shards_with_one_cause_are_one() -> None:
    """Counts add up, of ages the oldest is told, and each other cause stays by itself."""
    groups = grouped([*(stale(shard, 60.0 + shard) for shard in range(12)), parked(3, "lost", 2), parked(4, "lost", 1)])

    assert [group.sentence for group in groups] == [
        "shards 0-11: not caught up for 71 s",
        "shards 3-4: rows are parked (lost): 3",
    ]
    assert len(grouped([parked(3, "lost", 2), parked(3, "refused", 2)])) == 2


def test_what_concerns_all_of_the_system_names_no_shard() -> None:
    """Whoever has seen it: each worker says so in each of its shards."""
    said = [Finding(Trouble.STRIPE_KEY_REFUSED, shard, detail="no such key") for shard in range(3)]

    (group,) = grouped(said)

    assert group.sentence == "nothing is billed: Stripe refuses the key"
    assert group.details == ("no such key",)


def test_the_worst_comes_first() -> None:
    """By severity, then as the list has them."""
    mixed = [Trouble.NEVER_BILLED, Trouble.CUTOFF_NEAR, Trouble.KAFKA_AWAY]
    params = {"buckets": 1, "left": 5.0}

    groups = grouped([Finding(trouble, 1, params) for trouble in mixed])

    assert [group.severity for group in groups] == [Severity.STOPPED, Severity.SOON, Severity.NOTE]


@pytest.mark.parametrize(
    ("shards", "offsets", "mend"),
    [
        ([3], [17], "billing quarantine 3 17 --why ..."),
        ([3, 4], [17, 17], "billing quarantine N 17 --why ..."),
        ([3, 4], [17, 18], "billing quarantine N OFFSET --why ..."),
    ],
)
def test_the_command_names_what_it_is_about(shards: list[int], offsets: list[int], mend: str) -> None:
    """Where it is one shard's, it can be copied."""
    stops = [Stop(StopReason.UNREADABLE_BATCH, at, None, f"the batch at {at}", 1000) for at in offsets]

    (group,) = grouped(of_stop(*each, 3000) for each in zip(shards, ["the usage log"] * 2, stops, strict=False))

    assert group.mend.endswith(mend)
    assert group.sentence.endswith("the usage log has been stopped for 2 s by a batch that can't be read")


@pytest.mark.parametrize(("shards", "options"), [([4], "--shard 4"), ([4, 6], "--shard 4 --shard 6"), (range(9), "N")])
def test_a_command_for_several_shards_names_them_while_they_are_few(shards: list[int], options: str) -> None:
    """A line of options for dozens of shards helps nobody."""
    (group,) = grouped(Finding(Trouble.CLEARING_LONG, shard, {"seconds": 400.0}) for shard in shards)

    assert group.mend.endswith(options)


def test_a_stop_for_a_reason_of_a_newer_version_is_told_all_the_same() -> None:
    """With the reason, and what it says itself."""
    found = of_stop(3, "the usage log", Stop("of_the_future", 1, None, "upgrade", 1000), 61_000)

    assert found.trouble is Trouble.STOPPED_OTHERWISE
    assert str(found) == "shard 3: the usage log has been stopped for 60 s (of_the_future): upgrade"


def test_only_what_a_person_must_act_on_needs_one() -> None:
    """A note is no alarm."""
    assert not needs_a_person([Finding(Trouble.PARTITIONS_ADDED, 3)])
    assert needs_a_person([Finding(Trouble.PARTITIONS_ADDED, 3), Finding(Trouble.KAFKA_AWAY)])
    assert not needs_a_person([])


def test_findings_are_kept_with_all_their_parts() -> None:
    """Several of one trouble, too."""
    found = [parked(3, "lost", 2), parked(3, "refused", 1), Finding(Trouble.BILLING_STOPPED, 3, detail="a \ud800")]

    assert sorted(map(str, from_json(3, to_json(found)))) == sorted(map(str, found))


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_a_time_span_is_told_as_a_person_tells_it(seconds: float, said: str) -> None:
    """Rounded down."""
    assert duration(seconds) == said


def test_numbers_are_told_in_runs() -> None:
    """Sorted, each once."""
    assert numbers([3, 1, 0, 2, 7, 7]) == "0-3, 7"


@pytest.mark.parametrize("trouble", Trouble)
def test_an_entry_is_a_sentence_and_what_mends_it(trouble: Trouble) -> None:
    """Both in one line, and short: the screen is 80 wide."""
    entry = TROUBLES[trouble]

    assert all(text and "\n" not in text and len(text) <= 100 for text in (entry.says, entry.mend))
    assert not entry.says.endswith(".")
    assert entry.link.startswith("docs/operating/")
