"""What an aggregator posts for `billing status`: said while it is so, and taken back."""

from aggregator.notices import AggregatorNotices
from ledger.notices import Author, post_notices, read_notices
from ledger.shard import Shard
from metering.troubles.finding import Finding
from metering.troubles.names import Trouble
from tests.aggregator.unreliable import UnreliableStore


def alarm(shard: Shard) -> Finding:
    """A source."""
    return Finding(Trouble.SOURCE_REJECTED, shard.number, {"source": "/sms"})


async def test_it_is_said_again_and_again_and_taken_back(shard: Shard) -> None:
    """What the owner before has left, too."""
    wrong: list[Finding] = []
    notices = AggregatorNotices(lambda _: shard, lambda _: wrong)
    await post_notices(shard, Author.AGGREGATOR, [alarm(shard)])

    await notices.post({shard.number})
    assert await read_notices(shard) == []
    wrong.append(alarm(shard))
    for _ in range(2):
        await notices.post({shard.number})
        assert await read_notices(shard) == wrong
        await post_notices(shard, Author.AGGREGATOR, [])  # it has expired
    await notices.post({shard.number})
    wrong.clear()
    await notices.post({shard.number})
    assert await read_notices(shard) == []


async def test_what_redis_does_not_take_is_posted_the_next_time(shard: Shard, store: UnreliableStore) -> None:
    """Nothing ends for it."""
    notices = AggregatorNotices(lambda _: shard, lambda _: [alarm(shard)])
    store.lose_call = "post_notices"
    await notices.post({shard.number})
    assert await read_notices(shard) == []

    await notices.post({shard.number})

    assert await read_notices(shard) == [alarm(shard)]
