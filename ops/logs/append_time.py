"""The append time of a record."""

from ops.logs.reader import Bounds, LogReader


def append_ms_at(reader: LogReader, topic: str, partition: int, place: Bounds) -> int | None:
    """Returns the append time (Unix ms) of the first record of [place.earliest, place.end); None if there is none."""
    for records in reader.read(topic, partition, place.earliest, place.end):
        return records[0].timestamp
    return None
