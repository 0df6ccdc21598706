"""What the compacted logs amount to, whatever compaction has removed of them since."""

from metering.partition import partition_of
from tests.simulation import names
from tests.simulation.kafka import Place, Record, SimulatedKafka


class TableTruth:
    """`written` are the values that people wrote: nothing else in these logs means anything, but for tombstones."""

    def __init__(self, kafka: SimulatedKafka) -> None:
        self._kafka = kafka
        self._latest: dict[Place, dict[str, bytes]] = {}
        self._seen: dict[Place, int] = {}
        self.spoilt: set[str] = set()  # their last record can't be read: compaction may have left nothing else of them
        self.written: set[bytes] = set()

    def latest(self, place: Place) -> dict[str, bytes]:
        """Each name's record, as of the partition's end."""
        latest, history = self._latest.setdefault(place, {}), self._kafka.logs[place].history
        for record in history[self._seen.get(place, 0) :]:
            self._follow(latest, place[1], record)
        self._seen[place] = len(history)
        return latest

    def _follow(self, latest: dict[str, bytes], number: int, record: Record) -> None:
        name = _name(record)
        if not name or partition_of(name, names.PARTITIONS) != number:
            return
        readable = record.value is None or record.value in self.written
        (self.spoilt.discard if readable else self.spoilt.add)(name)
        if record.value is None:
            latest.pop(name, None)
        elif readable:
            latest[name] = record.value


def _name(record: Record) -> str:
    """Empty for what can't be a name."""
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError:
        return ""
