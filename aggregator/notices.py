"""What an aggregator has to say to a person beyond its shards' states: posted for `billing status`, again and again."""

import logging
from collections.abc import Callable, Collection

from ledger.notices import Author, post_notices
from ledger.shard import Shard
from metering.troubles.finding import Finding
from runtime.retrying import RETRIABLE

log = logging.getLogger(__name__)

POST_SECONDS = 10.0


class AggregatorNotices:
    """Posts what is wrong into each owned shard; what is not wrong any more is taken back."""

    def __init__(self, shard: Callable[[int], Shard], wrong: Callable[[int], Collection[Finding]]) -> None:
        """`wrong` gives what there is to say of a shard now."""
        self._shard = shard
        self._wrong = wrong
        self._clean: set[int] = set()  # shards of which nothing is said; of a new one, the owner before may have

    async def post(self, owned: Collection[int]) -> None:
        """Posts for the shards that are owned now; what Redis does not take is posted the next time."""
        self._clean &= set(owned)
        for number in owned:
            findings = self._wrong(number)
            if not findings and number in self._clean:
                continue
            try:
                await post_notices(self._shard(number), Author.AGGREGATOR, findings)
            except RETRIABLE as error:
                log.warning("shard %d: notices are posted later: %s: %s", number, type(error).__name__, error)
                return
            (self._clean.discard if findings else self._clean.add)(number)
