"""Which member of the group folds which partitions: a shard's logs live together, whatever partitions were added."""

from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import count

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata


def shards_by_member(members: Sequence[str], shards: int) -> dict[str, range]:
    """Consecutive shards for each member, the first members having one more where they don't come out even."""
    least, more = divmod(shards, len(members))
    starts = [number * least + min(number, more) for number in range(len(members) + 1)]
    return {member: range(starts[at], starts[at + 1]) for at, member in enumerate(sorted(members))}


def is_complete(owned: Mapping[str, Set[int]], known: Mapping[str, Set[int]]) -> bool:
    """Whether a member has all partitions of its shards: false once somebody has added one that belongs to them.

    Args:
        owned: the member's partitions by topic.
        known: all partitions that each topic has; none of a topic that is not known now: then nobody can tell.
    """
    shards = min(map(len, known.values()), default=0)
    if shards == 0:
        return True
    own = {partition % shards for partitions in owned.values() for partition in partitions}
    return all({each for each in known[topic] if each % shards in own} == owned.get(topic, set()) for topic in known)


class ShardAssignor(RangePartitionAssignor):  # type: ignore[misc]
    """Gives partition N of every topic to the same member (decision 0005).

    Aiokafka's own deals each topic's partitions out by themselves, so that one topic with more partitions than the
    others would tear shards apart. Here the topics' smallest number of partitions is the number of shards, and a
    partition beyond goes to a shard's owner as well: all shards' owners have some.
    """

    name = "shards"
    _calls = count()
    _call = b""

    @classmethod
    def call(cls) -> None:
        """Makes the next join of this process one for which the group deals out everything anew."""
        cls._call = b"%d" % next(cls._calls)

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What a member joins with. The broker lets the group deal out anew when it differs from the time before."""
        return ConsumerProtocolMemberMetadata(cls.version, list(topics), cls._call)

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """Every member subscribes to the same topics; one that Kafka knows nothing of yet is left out until it does."""
        topics = sorted({topic for metadata in members.values() for topic in metadata.subscription})
        partitions = {topic: sorted(known) for topic in topics if (known := cluster.partitions_for_topic(topic))}
        shards = min(map(len, partitions.values()), default=0)
        assigned = {}
        for member, owned in shards_by_member(list(members), shards).items():
            own = {topic: [each for each in held if each % shards in owned] for topic, held in partitions.items()}
            assigned[member] = ConsumerProtocolMemberAssignment(cls.version, list(own.items()), b"")
        return assigned
