"""Who folds what: every shard's logs live together in one member."""

from itertools import chain
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.faust_adapter.assignor import ShardAssignor, is_complete, shards_by_member

TABLES = ("accounts", "keys")


def assigned(counts: dict[str, int | None], members: int) -> dict[str, dict[str, list[int]]]:
    """By member and topic; a topic without a count is one that the client knows nothing of yet."""
    cluster = SimpleNamespace(
        partitions_for_topic=lambda topic: None if counts[topic] is None else set(range(counts[topic]))
    )
    metadata = ShardAssignor.metadata(list(counts))
    found = ShardAssignor.assign(cluster, {f"member-{number}": metadata for number in range(members)})
    return {member: dict(each.assignment) for member, each in found.items()}


@given(shards=st.integers(1, 30), members=st.integers(1, 40))
def test_shards_are_dealt_out_evenly(shards: int, members: int) -> None:
    """Each to one member, none having two more than another."""
    owned = shards_by_member([f"{number:02}" for number in range(members)], shards)

    assert sorted(chain.from_iterable(owned.values())) == list(range(shards))
    assert max(map(len, owned.values())) - min(map(len, owned.values())) <= 1


@given(shards=st.integers(1, 12), added=st.integers(0, 8), members=st.integers(1, 5))
def test_added_partitions_tear_no_shard_apart(shards: int, added: int, members: int) -> None:
    """Partition N of every log has one owner, and each partition of the usage log has one at all."""
    found = assigned({"usage": shards + added, **dict.fromkeys(TABLES, shards)}, members)

    owner = {number: member for member, topics in found.items() for number in topics["usage"]}
    assert sorted(owner) == list(range(shards + added))
    for topic in TABLES:
        assert {number: member for member, topics in found.items() for number in topics[topic]} == {
            number: member for number, member in owner.items() if number < shards
        }


@pytest.mark.parametrize("known", [{}, {"usage": 4}])
def test_a_topic_that_is_not_known_yet_is_left_out(known: dict[str, int]) -> None:
    """It is dealt out once the client has heard of it."""
    counts: dict[str, int | None] = dict.fromkeys(("usage", *TABLES)) | known

    for topics in assigned(counts, 2).values():
        assert topics.keys() == known.keys()


@given(shards=st.integers(1, 12), added=st.integers(0, 8), members=st.integers(1, 5), more=st.integers(1, 8))
def test_who_has_all_of_its_shards_knows(shards: int, added: int, members: int, more: int) -> None:
    """Nobody lacks anything of what is dealt out; somebody does once the usage log has more."""
    counts = {"usage": shards + added, **dict.fromkeys(TABLES, shards)}
    known = {topic: set(range(number)) for topic, number in counts.items()}
    owned = [{topic: set(each) for topic, each in has.items()} for has in assigned(counts, members).values()]

    assert all(is_complete(has, known) for has in owned)
    known["usage"] = set(range(shards + added + more))
    assert not all(is_complete(has, known) for has in owned)


def test_a_topic_that_is_gone_from_the_metadata_is_no_reason_to_deal_out_anew() -> None:
    """It was deleted, and perhaps it is being made again: its log tells whether it is another one."""
    assert is_complete({"usage": {0, 1}, "keys": {0, 1}}, {"usage": set(), "keys": {0, 1}})
