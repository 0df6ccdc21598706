"""Searches the push log for a row: the newest stretch first, and no further back than necessary."""

from collections.abc import Callable, Collection, Iterator

from metering.counting import LogRecord
from ops.console.errors import OpsError
from ops.explain.row_search import Found, rows_mentioned, rows_named
from ops.logs.reader import Bounds, LogReader

HOUR_MS = 3600 * 1000
STRETCHES_MS = (HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, 35 * 24 * HOUR_MS)  # ms back from now; then the whole log
ON_THEIR_WAY_MS = (HOUR_MS, 24 * HOUR_MS)  # ms between a row's preparation and its settlement; then the whole log

Progress = Callable[[str], None]


class LogSearch:
    """One search for an identifier with this `beginning`, in `shards`, from `since_ms` on (Unix ms; 0: everywhere)."""

    def __init__(
        self, reader: LogReader, topic: str, beginning: str, shards: Collection[int], since_ms: int, progress: Progress
    ) -> None:
        self._reader = reader
        self._topic = topic
        self._beginning = beginning
        self._since_ms = since_ms
        self._progress = progress
        self._held = {shard: held for shard, held in reader.bounds(topic).items() if shard in shards}

    def find(self, now_ms: int) -> Found:
        """Returns the row.

        A record that settles a row contains the identifier, so this search is quick; the record with the row is not far
        before it. Rows that are not settled must be hashed: the search hashes the last hour at once, and earlier rows
        only when everything else has failed.

        Raises:
            OpsError: no identifier has this beginning, or several have.
        """
        stretches = list(self._stretches(now_ms))
        for number, stretch in enumerate(stretches):
            found = self._mentioned(stretch) or (self._carried(stretch) if number == 0 else {})
            if found:
                return self._only(found)
        for stretch in stretches[1:]:
            found = self._carried(stretch)
            if found:
                return self._only(found)
        where = f"shard {', '.join(map(str, sorted(self._held)))}"
        raise OpsError(f"no row in the push log of {where} has an identifier that begins with {self._beginning}")

    def _stretches(self, now_ms: int) -> Iterator[dict[int, Bounds]]:
        ends = {shard: held.end for shard, held in self._held.items()}
        for back_ms in (*STRETCHES_MS, None):
            since_ms = 0 if back_ms is None else now_ms - back_ms
            starts = self._starts(max(since_ms, self._since_ms))
            yield {shard: Bounds(min(starts[shard], end), end) for shard, end in ends.items()}
            ends = {shard: min(starts[shard], end) for shard, end in ends.items()}

    def _starts(self, time_ms: int) -> dict[int, int]:
        """Returns the shards' first offsets of that time or later."""
        if time_ms <= 0:
            return {shard: held.earliest for shard, held in self._held.items()}
        found = self._reader.offsets_at(self._topic, time_ms)
        return {shard: held.end if (at := found[shard]) is None else at for shard, held in self._held.items()}

    def _mentioned(self, stretch: dict[int, Bounds]) -> dict[str, Found]:
        mentions: dict[str, tuple[int, LogRecord]] = {}
        for shard, records in self._records(stretch):
            for name, record in rows_mentioned(records, self._beginning):
                mentions.setdefault(name, (shard, record))
        found: dict[str, Found] = {}
        for shard, record in mentions.values():
            found |= self._carried_before(shard, record)
        return found

    def _carried_before(self, shard: int, record: LogRecord) -> dict[str, Found]:
        """Finds the row in the records before the one that mentions it."""
        end = record.offset
        for back_ms in (*ON_THEIR_WAY_MS, None):
            starts = self._starts(0 if back_ms is None else max(1, record.timestamp - back_ms))
            start = min(starts[shard], end)
            found = self._carried({shard: Bounds(start, end)})
            if found:
                return found
            end = start
        return {}

    def _carried(self, stretch: dict[int, Bounds]) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for shard, records in self._records(stretch):
            found |= {each.identifier: each for each in rows_named(records, shard, self._beginning)}
        return found

    def _records(self, stretch: dict[int, Bounds]) -> Iterator[tuple[int, list[LogRecord]]]:
        for shard, (start, end) in stretch.items():
            if start >= end:
                continue
            for records in self._reader.read(self._topic, shard, start, end):
                yield shard, records
                self._progress(f"push log {shard}: {records[-1].offset:,} of {end:,} searched")

    def _only(self, found: dict[str, Found]) -> Found:
        if len(found) > 1:
            names = ", ".join(sorted(found)[:5])
            raise OpsError(f"{self._beginning} is not enough: {names} begin so; write more of it")
        (only,) = found.values()
        return only
