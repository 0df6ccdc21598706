"""Brings a shard's state to the end of its push log."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from ledger.answer import Verdict
from ledger.push_fold import fold_push, pass_over
from ledger.ready import Note, Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, ShardClearingError, close_buckets, open_shard
from metering.counting import Mark
from metering.push_fold import ShardDivergedError
from metering.push_log import Foreign, Prepared, StripeIdentity, decode
from metering.retention import pushes_closed_before
from metering.stop import ShardStoppedError
from runtime.clock import Clock
from stripe_sync.errors import PushLogLostError, UnreadablePushLogError
from stripe_sync.push_log.log import Entry, PushLog, PushLogBounds, Read
from stripe_sync.push_log.marks import check_appended, check_fence, recognises
from stripe_sync.stripe_api.stripe_time import ClockFault, no_fault

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Moment:
    """When the end of the log was observed, by both clocks: what is sent is sent soon after, or not at all.

    `end` is that end: a shard that stands before it knows less than was known then.
    """

    wall_ms: int
    monotonic: float
    end: int = 0


class PushFolder:
    """One shard's fold of the push log. Remembers where the shard stood; the fence corrects it.

    A log that loses acknowledged records and grows again looks well by its end alone. So whoever reads on reads the
    last folded record once more, and what is appended must come after all that was there.
    """

    def __init__(
        self,
        shard: Shard,
        log: PushLog,
        clock: Clock,
        make_incarnation: Callable[[], str],
        clock_fault: ClockFault = no_fault,
    ) -> None:
        """While there is a `clock_fault`, no shard is opened: how old a closed bucket is would be judged wrongly."""
        self._clock_fault = clock_fault
        self._shard = shard
        self._log = log
        self._name = log.name(shard.number)
        self._clock = clock
        self._make_incarnation = make_incarnation
        self._fence: int | None = None
        self._mark: Mark | None = None  # the last record folded
        self._known_end = 0  # so far the log has been
        self.identity: StripeIdentity | None = None
        self.held: str | None = None  # what to tell of an open transaction that holds the log up

    async def fold_to_end(self) -> Moment | None:
        """Folds up to the end observed now.

        None where that can't be done now: a record waits for the shard's own count, somebody else folds as well, the
        shard is being cleared, Redis lost state or throws keys away (which its aggregator tells of), or an open
        transaction holds back what follows its first record (`held`). Look again soon.

        Raises:
            PushLogLostError: the log was cut, truncated or recreated.
            UnreadablePushLogError: a record has no known meaning.
            ShardDivergedError: a row claims more than was counted.
        """
        self.held, number = None, self._shard.number
        note = await note_server(self._shard)
        fence = self._fence
        if fence is None:
            try:
                fence = await self._open()
            except PushLogLostError:
                raise
            except (ShardClearingError, ShardStoppedError):  # of the latter the shard's aggregator tells
                return None
            if fence is None:
                return None
        moment = Moment(self._clock.now_ms(), self._clock.monotonic())
        bounds = await self._log.bounds(number)  # after the fence: whoever moves it on moves the end first
        check_fence(self._name, fence, bounds)
        self._known_end = max(self._known_end, bounds.stable)
        if await self._fold_from(fence, bounds) is None:
            return None
        await self._log.read(number, bounds.stable, bounds.stable)  # but what troubles the group is raised here
        return await self._mark_ready(note, moment, bounds)

    async def _fold_from(self, fence: int, bounds: PushLogBounds) -> int | None:
        """Folds up to where the log can be read; None where that can't be done now."""
        while fence < bounds.stable:  # each read begins at the last record folded: the end may be lost between two
            mark = self._mark if self._mark and bounds.earliest <= self._mark.offset else None
            reached = await self._fold_some(fence, await self._read_on(fence, bounds.stable, mark))
            if reached is None:
                return None
            fence = reached
        return fence

    async def _mark_ready(self, note: Note, moment: Moment, bounds: PushLogBounds) -> Moment | None:
        result = await mark_ready(
            self._shard,
            ReadyMark.PUSHES,
            note,
            {Log.PUSHES: bounds.high},
            as_of_ms=moment.wall_ms,
            stable={Log.PUSHES: bounds.stable},
        )
        if result is Readiness.HELD:  # what is behind may be about any row
            self.held = (
                f"{self._name}: an open transaction holds the push log up at offset {bounds.stable}, and nothing of "
                "the shard is planned or sent: end its producer, or abort it (docs/operating/open-transactions.md)"
            )
            return None
        if result is not Readiness.READY:  # flushed or failed over in between
            self._fence = None
            return None
        return Moment(moment.wall_ms, moment.monotonic, bounds.stable)

    async def append(self, value: bytes) -> None:
        """Appends a record to the shard's log.

        Raises:
            PushLogLostError: it lies where another one was: acknowledged records are gone.
            KafkaError: nobody knows whether it is, or will be, in the log.
        """
        known, number = self._known_end, self._shard.number
        offset = await self._log.append(number, value)
        check_appended(self._name, offset, known)
        self._known_end = max(known, offset + 1)

    async def _read_on(self, fence: int, end: int, mark: Mark | None) -> Read:
        """Some records from the fence on; with a mark, from the last folded one on, to see that it is still there.

        Raises:
            PushLogLostError: another one is in its place, or none.
        """
        if mark is None:
            return await self._log.read(self._shard.number, fence, end)
        found = await self._log.read(self._shard.number, mark.offset, end)
        if not recognises(self._name, mark, found):
            return Read([], fence)
        if len(found.entries) > 1:
            return found._replace(entries=found.entries[1:])
        return await self._log.read(self._shard.number, fence, end)

    async def _open(self) -> int | None:
        """The shard's fence; None where the log can't be recognised by its last folded record now, or by no clock."""
        if self._clock_fault() is not None:
            return None
        earliest, end, _ = await self._log.bounds(self._shard.number)
        state = await open_shard(
            self._shard,
            Log.PUSHES,
            earliest=earliest,
            incarnation=self._make_incarnation(),
            may_be_cut=True,
        )
        if Log.PUSHES in state.undecided:
            hour = pushes_closed_before(self._clock.now_ms() // 1000)
            await close_buckets(self._shard, state.incarnation, Log.PUSHES, hour)
        mark = state.marks.get(Log.PUSHES)
        if mark and earliest <= mark.offset < end:
            found = await self._log.read(self._shard.number, mark.offset, mark.offset + 1)
            if not recognises(self._name, mark, found):
                return None
        self.identity = StripeIdentity.model_validate_json(state.identity) if state.identity else None
        self._fence, self._mark = state.fences[Log.PUSHES], mark
        return self._fence

    async def _fold_some(self, fence: int, found: Read) -> int | None:
        """Folds what was read from the fence on; gives the fence, or None where the next can't be folded now."""
        for entry in found.entries:
            verdict = await self._fold(fence, entry)
            if verdict is Verdict.WAIT:
                return None
            if verdict is not Verdict.APPLIED:
                self._fence = None
                return None
            fence = entry.offset + 1
        if found.next > fence:
            answer = await pass_over(self._shard, fence, found.next)
            self._fence = answer.fence if answer.applied else None
        elif not found.entries:
            return None
        return self._fence

    async def _fold(self, fence: int, entry: Entry) -> Verdict:
        try:
            record = decode(entry.value or b"")
            answer = await fold_push(self._shard, record, entry.offset, entry.append_ms, entry.mark.crc, start=fence)
        except ValidationError as error:  # of the record, or of a row in flight that it is about
            raise UnreadablePushLogError(
                f"{self._name}: the push log's record {entry.offset} can't be read "
                f"({error.errors(include_url=False)[0]['msg']}): what it claims is unknown. Was it written by a newer "
                "version? Then run that one here, too (docs/operating/unreadable-batches.md)"
            ) from error
        if answer.verdict is Verdict.DIVERGED:
            raise ShardDivergedError(
                f"{self._name}: the push log's record {entry.offset} claims more than was counted: the usage log and "
                "the push log do not belong together (docs/operating/lost-logs.md)"
            )
        if answer.applied:
            self._fence, self._mark = answer.fence, entry.mark
            if isinstance(record, Prepared):
                self.identity = record.identity
            if isinstance(record, Foreign):
                log.error(
                    "%s: the push log's record %d is no worker's and was passed over: find out who writes there",
                    self._name,
                    entry.offset,
                )
        return answer.verdict
