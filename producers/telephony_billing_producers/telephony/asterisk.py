"""Asterisk: reads the lines of cdr_csv's Master.csv.

Source: docs.asterisk.org, "CDR Specification" and cdr.conf. Set `loguniqueid=yes` under `[csv]`, and `systemname` in
asterisk.conf where several switches share a source: a unique id is one switch's.
"""

import csv
from collections.abc import Collection, Iterable, Iterator
from datetime import timezone
from typing import NamedTuple

from ..errors import InvalidEventError
from .usage import Usage, moment, present, whole

FIELDS = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer",
    "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield",
)  # fmt: skip
"""The fields of a line of Master.csv, in this order; the file has no header."""


class CdrLine(NamedTuple):
    """The usage of one line, numbered from 1; or the reason why the line can't be read."""

    number: int
    usage: tuple[Usage, ...]
    fault: str | None = None


def calls(lines: Iterable[str], *, trunks: Collection[str], zone: timezone) -> Iterator[CdrLine]:
    """Yields the usage of all lines of a file.

    Args:
        lines: the file, opened with `newline=""`.
        trunks: the names of the endpoints that are trunks: `carrier` in `PJSIP/carrier-00000001`.
        zone: the time zone of the file: UTC with `usegmtime=yes`, else the switch's own.
    """
    for number, row in enumerate(csv.reader(lines), start=1):
        try:
            yield CdrLine(number, call(row, trunks=trunks, zone=zone))
        except InvalidEventError as error:
            yield CdrLine(number, (), str(error))


def call(row: Collection[str], *, trunks: Collection[str], zone: timezone) -> tuple[Usage, ...]:
    """Returns the usage of one line: it counts if it was ANSWERED and used a trunk, unless its AMA flag is OMIT.

    A call from a trunk is inbound, one to a trunk outbound, and one from a trunk that is forwarded to one is both. A
    call that was transferred has several lines with one unique id: it is one call.

    Raises:
        InvalidEventError: it has too few fields, or no unique id.
    """
    record = dict(zip(FIELDS, row, strict=False))
    if len(row) < len(FIELDS) - 1 or not record["uniqueid"]:
        raise InvalidEventError("the line has no uniqueid: set loguniqueid=yes under [csv] in cdr.conf")
    if record["disposition"] != "ANSWERED" or record["amaflags"] in {"OMIT", "IGNORE"}:
        return ()
    sides = (("channel", "voice.inbound", "dst"), ("dstchannel", "voice.outbound", "src"))
    return tuple(
        Usage(
            meter=meter,
            id=record["uniqueid"],
            number=present(record[number], number),
            time=moment(record["answer"], "answer", zone),
            duration=whole(record["billsec"], "billsec"),
            account=record["accountcode"],
        )
        for channel, meter, number in sides
        if _endpoint(record[channel]) in trunks
    )


def _endpoint(channel: str) -> str:
    """The endpoint in a channel's name, such as `carrier` in `PJSIP/carrier-00000001`."""
    return channel.partition("/")[2].rpartition("-")[0]
