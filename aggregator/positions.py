"""Where each partition's chain of intervals stands: at its shard's fence, found again whenever it is lost.

Redis decides the positions (the fence in the shard's state), never Kafka's committed offsets. Plain asyncio over a
`Broker`: the aggregator runs it inside Faust (`faust_adapter`), the simulation runs the same class on its own broker.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Set
from contextlib import suppress
from dataclasses import replace

from aiokafka import TopicPartition

from aggregator.broker import Broker
from aggregator.folds.fold import FoldStanding
from aggregator.log_check import LogBounds, check_fence, mark_to_compare
from aggregator.partition_batch import ChainLink, PartitionBatch
from aggregator.stops import Stops
from ledger.state import ShardClearingError
from metering.stop import ShardStoppedError
from runtime.retrying import RETRIABLE, gives_up
from runtime.settings import GIVE_UP_SECONDS

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 1.0
SEEK_SECONDS = 15.0  # after a rebalance; at `broker_request_timeout` Faust would leave its recovery, and rest for ever
DRAIN_SECONDS = 5.0  # for folds in flight at a rebalance; the fence judges what is left of them
FAREWELL_SECONDS = 2.0  # for the last commit, to a Kafka that may be away

# Opens the shard behind a partition (given what its log holds) and says where it stands.
OpenFold = Callable[[TopicPartition, LogBounds], Awaitable[FoldStanding]]


class Positions:
    """The generation of each partition's chain, how far it is folded, and the search for its place.

    `applied` has the offset up to which each partition is known to be folded; a partition whose position is not found
    yet is missing. A generation ends with every seek, stop and revocation: batches of an older one are void.
    """

    def __init__(
        self, broker: Broker, open_fold: OpenFold, stops: Stops, give_up_seconds: float = GIVE_UP_SECONDS
    ) -> None:
        """`give_up_seconds` of failing to find a position end the process."""
        self.broker = broker
        self.stops = stops
        self.applied: dict[TopicPartition, int] = {}
        self._open_fold = open_fold
        self._give_up_seconds = give_up_seconds
        self._generation: dict[TopicPartition, int] = {}
        self._resyncing: set[TopicPartition] = set()
        self._lost: set[TopicPartition] = set()  # those of them that nobody looks for yet
        self._seeking = asyncio.Lock()
        self._committed: dict[TopicPartition, int] = {}
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    # What the folds say.

    def is_current(self, batch: PartitionBatch) -> bool:
        """False for a batch that a seek, a stop or a rebalance has made void."""
        return self._generation.get(batch.tp) == batch.generation

    def begin(self) -> None:
        """A batch is being folded."""
        self._in_flight += 1
        self._idle.clear()

    def finish(self, batch: PartitionBatch, *, applied: bool) -> None:
        """A batch's fold has ended, one way or the other."""
        self._in_flight -= 1
        if not self._in_flight:
            self._idle.set()
        if applied and self.is_current(batch):
            self.applied[batch.tp] = batch.interval.end
            if batch.interval.end > batch.interval.start:
                self.stops.go_on(batch.tp)

    def resync(self, tp: TopicPartition, reason: str) -> None:
        """Voids what was read of a partition; if it is held, asks its shard where it stands, and goes on from there."""
        if tp in self._resyncing:
            return
        self._void(tp)
        if tp not in self.broker.assignment():
            return
        if not self.stops.rests(tp):
            log.info("%s-%d: finding its position again: %s", tp.topic, tp.partition, reason)
        self._resyncing.add(tp)
        if not self._lost:  # or whoever is about to look takes this one along
            self.broker.spawn(self._find_lost())
        self._lost.add(tp)

    def stop_log(self, tp: TopicPartition, error: ShardStoppedError) -> None:
        """Voids what was read of a partition, and reads no more of it until it is tried again."""
        self._void(tp)
        if tp in self.broker.assignment():
            self.stops.stop(tp, error)
            self.broker.spawn(self.broker.rest(tp, self._generation[tp]))

    # Timers and people.

    def try_stopped(self) -> None:
        """Tries all logs again that are stopped; called now and then."""
        for tp in self.stops.due():
            self.resync(tp, "it is tried again")

    def try_again(self, tp: TopicPartition) -> None:
        """Tries a log again if it is stopped: a person has said what is to be done with it."""
        if self.stops.rests(tp):
            self.resync(tp, "it is tried again")

    async def commit(self) -> bool:
        """Tells Kafka how far the folds are: for lag tools, and to know a refold. No position is read from it."""
        held = self.broker.assignment()
        ahead = {tp: at for tp, at in self.applied.items() if tp in held and self._committed.get(tp) != at}
        if not ahead or not await self.broker.commit(ahead):
            return False
        self._committed.update(ahead)
        return True

    # A rebalance, in this order. The eager protocol revokes everything before it deals out anew.

    def revoke(self, revoked: Set[TopicPartition]) -> None:
        """Voids what is queued of partitions that are no longer this process's."""
        for tp in revoked:
            self._void(tp)
        self.stops.release(revoked)
        self.applied.clear()

    async def settle(self) -> None:
        """Lets folds in flight end and commits, both within bounds; at the process's end, too."""
        try:
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        except TimeoutError:
            log.warning("%d folds still in flight: the fence will judge them", self._in_flight)
        with suppress(TimeoutError):  # no position is read from what is committed
            await asyncio.wait_for(self.commit(), FAREWELL_SECONDS)

    async def seek_all(self) -> dict[TopicPartition, int]:
        """Seeks every assigned partition to its fence; what can't be found at once is looked for, shard by shard."""
        held = set(self.broker.assignment())
        try:
            return await asyncio.wait_for(self._seek_to_fences(held), SEEK_SECONDS)
        except (ShardClearingError, *RETRIABLE) as error:
            for tp in held:
                self.resync(tp, str(error))
            return {}

    # The search.

    def _void(self, tp: TopicPartition) -> None:
        self._generation[tp] = self._generation.get(tp, 0) + 1

    async def _find_lost(self) -> None:
        """All that are lost in one go, as with a server's state: so that they are folded anew in turns, not one by one.

        Where something is in the way of one, each is looked for by itself.
        """
        await asyncio.sleep(FIRST_RETRY_SECONDS)  # others are being found to be lost
        tps: set[TopicPartition] = set()
        try:
            async with self._seeking:
                tps, self._lost = self._lost, set()
                await self._find_places(tps)
        except (ShardClearingError, *RETRIABLE):
            for tp in tps:
                self.broker.spawn(self._find_position(tp))
            tps = set()
        except Exception as error:
            await self.broker.crash(error)
        finally:
            self._resyncing -= tps

    async def _find_position(self, tp: TopicPartition) -> None:
        delay, since = FIRST_RETRY_SECONDS, time.monotonic()
        try:
            while tp in self.broker.assignment() and not self.broker.is_stopping():
                try:
                    await self._seek_to_fences({tp})
                except ShardClearingError:
                    since = time.monotonic()
                    await asyncio.sleep(LAST_RETRY_SECONDS)
                except RETRIABLE as error:
                    if gives_up(error, time.monotonic() - since, self._give_up_seconds):
                        await self.broker.crash(error)
                        return
                    await asyncio.sleep(delay)
                    delay = min(2 * delay, LAST_RETRY_SECONDS)
                else:
                    return
        except Exception as error:
            await self.broker.crash(error)
        finally:
            self._resyncing.discard(tp)

    async def _seek_to_fences(self, tps: set[TopicPartition]) -> dict[TopicPartition, int]:
        async with self._seeking:  # a fold and its chain are found together, or a batch meets another state's memory
            return await self._find_places(tps)

    async def _find_places(self, wanted: set[TopicPartition]) -> dict[TopicPartition, int]:
        tps = wanted & self.broker.assignment()
        if not tps:
            return {}
        for tp in tps:  # of an older chain, too: nothing may be folded with a memory that is just being learnt
            self._void(tp)
        chains = {tp: self._generation[tp] for tp in tps}
        bounds = await self.broker.bounds(tps)
        standings = await self._open_folds(tps, bounds)
        links = {}
        for tp, (fence, last, stop) in standings.items():
            if tp not in self.broker.assignment() or self._generation[tp] != chains[tp]:
                continue  # revoked meanwhile, or lost again: what is found next counts
            self.applied[tp] = fence
            self.stops.found(tp, fence, stop)
            links[tp] = ChainLink(fence, self._generation[tp], mark_to_compare(last, bounds[tp]))
        await self.broker.begin(links)
        return {tp: link.offset for tp, link in links.items()}

    async def _open_folds(
        self, tps: set[TopicPartition], bounds: dict[TopicPartition, LogBounds]
    ) -> dict[TopicPartition, FoldStanding]:
        """Where the shards stand, and that their logs reach there; what can't be folded on is stopped, alone."""
        standings = {}
        for tp in sorted(tps):
            try:
                standings[tp] = await self._open_fold(tp, bounds[tp])
            except ShardStoppedError as error:
                self.applied.pop(tp, None)
                self.stop_log(tp, error)
        # After the fences: whoever else moves them on moves the ends first.
        ends = await self.broker.stable_ends(standings.keys())
        for tp, standing in list(standings.items()):
            try:
                check_fence(tp.topic, tp.partition, standing.fence, replace(bounds[tp], end=ends[tp]))
            except ShardStoppedError as error:
                self.applied[tp] = standing.fence
                self.stop_log(tp, error)
                del standings[tp]
        return standings
