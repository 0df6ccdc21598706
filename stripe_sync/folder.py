"""Brings a shard's state to the end of its push log."""

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError

from ledger.answer import Verdict
from ledger.push_fold import fold_push
from ledger.ready import Readiness, ReadyMark, mark_ready, note_server
from ledger.shard import Shard
from ledger.state import Log, ShardClearingError, open_shard
from metering.counting import Mark
from metering.push_fold import ShardDivergedError
from metering.push_log import Prepared, PushRecord, StripeIdentity, decode
from metering.retention import closed_before
from runtime.clock import Clock
from stripe_sync.errors import PushLogLostError, UnreadablePushLogError
from stripe_sync.log import Entry, PushLog


@dataclass(frozen=True, slots=True)
class Moment:
    """When the end of the log was observed, by both clocks: what is sent is sent soon after, or not at all.

    `end` is that end: a shard that stands before it knows less than was known then.
    """

    wall_ms: int
    monotonic: float
    end: int = 0


class PushFolder:
    """One shard's fold of the push log. Remembers where the shard stood; the fence corrects it."""

    def __init__(self, shard: Shard, log: PushLog, clock: Clock, make_incarnation: Callable[[], str]) -> None:
        self._shard = shard
        self._log = log
        self._clock = clock
        self._make_incarnation = make_incarnation
        self._fence: int | None = None
        self.identity: StripeIdentity | None = None

    async def fold_to_end(self) -> Moment | None:
        """Folds up to the end observed now.

        None where that can't be done now: a record waits for the shard's own count, somebody else folds as well, the
        shard is being cleared, or Redis lost state. Look again soon.

        Raises:
            PushLogLostError: the log was cut, truncated or recreated.
            UnreadablePushLogError: a record has no known meaning.
            ShardDivergedError: a row claims more than was counted.
        """
        number = self._shard.number
        note = await note_server(self._shard)
        fence = self._fence
        if fence is None:
            try:
                fence = await self._open()
            except ShardClearingError:
                return None
            if fence is None:
                return None
        moment = Moment(self._clock.now_ms(), self._clock.monotonic())
        earliest, end = await self._log.bounds(number)  # after the fence: whoever moves it on moves the end first
        self._check(fence, earliest, end)
        while fence < end:
            reached = await self._fold_some(fence, end)
            if reached is None:
                return None
            fence = reached
        await self._log.read(number, end, end)  # nothing there; but what troubles the group is raised here
        result = await mark_ready(self._shard, ReadyMark.PUSHES, note, {Log.PUSHES: end}, as_of_ms=moment.wall_ms)
        if result is not Readiness.READY:  # flushed or failed over in between
            self._fence = None
            return None
        return Moment(moment.wall_ms, moment.monotonic, end)

    async def _open(self) -> int | None:
        """The shard's fence; None where the log can't be recognised by its last folded record now."""
        earliest, end = await self._log.bounds(self._shard.number)
        state = await open_shard(
            self._shard,
            Log.PUSHES,
            earliest=earliest,
            incarnation=self._make_incarnation(),
            closed_before=closed_before(self._clock.now_ms() // 1000),
        )
        mark = state.marks.get(Log.PUSHES)
        if mark and earliest <= mark.offset < end and not await self._recognises(mark):
            return None
        self.identity = StripeIdentity.model_validate_json(state.identity) if state.identity else None
        self._fence = state.fences[Log.PUSHES]
        return self._fence

    async def _recognises(self, mark: Mark) -> bool:
        """Compares the last record that was folded with what the log has in its place; False if it can't be read now.

        Raises:
            PushLogLostError: it is another.
        """
        entries = await self._log.read(self._shard.number, mark.offset, mark.offset + 1)
        found = next((entry.mark for entry in entries if entry.offset == mark.offset), None)
        if found not in (None, mark):
            raise PushLogLostError(
                f"shard {self._shard.number}: the push log's record {mark.offset} is another than the one that was "
                "folded: the topic was recreated. Restore it; without it, what Stripe was told is unknown"
            )
        return found is not None

    async def _fold_some(self, fence: int, end: int) -> int | None:
        """Folds some records; gives the fence, or None where the next can't be folded now."""
        entries = await self._log.read(self._shard.number, fence, end)
        for entry in entries:
            verdict = await self._fold(entry)
            if verdict is Verdict.WAIT:
                return None
            if verdict is not Verdict.APPLIED:
                self._fence = None
                return None
        return self._fence if entries else None

    async def _fold(self, entry: Entry) -> Verdict:
        record = self._decode(entry)
        answer = await fold_push(self._shard, record, entry.offset, entry.append_ms, entry.mark.crc)
        if answer.verdict is Verdict.DIVERGED:
            raise ShardDivergedError(
                f"shard {self._shard.number}: the push log's record {entry.offset} claims more than was counted: "
                "the usage log and the push log do not belong together"
            )
        if answer.applied:
            self._fence = answer.fence
            if isinstance(record, Prepared):
                self.identity = record.identity
        return answer.verdict

    def _decode(self, entry: Entry) -> PushRecord:
        try:
            return decode(entry.value or b"")
        except ValidationError as error:
            raise UnreadablePushLogError(
                f"shard {self._shard.number}: the push log's record {entry.offset} can't be read "
                f"({error.errors(include_url=False)[0]['msg']}): was it written by a newer version?"
            ) from error

    def _check(self, fence: int, earliest: int, end: int) -> None:
        if fence > end:
            raise PushLogLostError(
                f"shard {self._shard.number}: the push log ends at {end}, but {fence} was folded: "
                "the topic was truncated or recreated"
            )
        if fence < earliest:
            raise PushLogLostError(
                f"shard {self._shard.number}: the push log begins at {earliest}, but {fence} must be folded next"
            )
