"""Records that some client wrote and nobody expected: each has its fate, and none may stop or delay another."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from metering.meters import CATALOGUE
from metering.rfc3339 import from_unix
from tests.simulation import names
from tests.simulation.kafka import Appending, Headers
from tests.simulation.truth import Meant
from tests.simulation.world import World
from tests.support.usage_event import usage_event

LARGE, GIANT = 70 * 1024, 3 * 1024 * 1024  # more than an event may have; more than a dead letter may
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that can't be counted, and the reason that its dead letter must give."""

    reason: str
    value: bytes | None
    key: bytes | None = b"a0"
    headers: Headers = ()


FORGED = [("dlq.offset", b"7"), ("dlq.reason", b"\xff"), ("", b""), ("origin.time", b"\xff"), ("origin.offset", b"-1")]
BAD: Sequence[Bad] = (
    Bad("empty", None, None),
    Bad("empty", b"", None, FORGED),
    Bad("empty", None, b"\xff\xfe"),
    Bad("invalid_json", b"\xff\xfe\x00", b"\xff"),
    Bad("invalid_json", b"[" * 10_000),
    Bad("invalid_json", b'{"id": "\xc3'),
    Bad("invalid_event", b"0"),
    Bad("invalid_event", b"null", None, FORGED),
    Bad("invalid_event", b"[]"),
    Bad("invalid_event", b'{"specversion":"1.0"}', headers=[("ce_specversion", b"1.0")]),
    Bad("invalid_event", b'{"quantity":5}', headers=[("ce_specversion", b"1.0"), ("ce_type", b"sms.send")]),
    Bad("too_large", bytes(LARGE)),
    Bad("too_large", bytes(GIANT), b"k" * LARGE),
)
BAD_IN_TABLES: Sequence[Bad] = (
    Bad("invalid_event", None, None),
    Bad("invalid_event", None, b""),
    Bad("invalid_event", b"{}", b"\xff"),
    Bad("invalid_event", bytes(GIANT), b"a0"),
    Bad("invalid_event", b"{", b"\x00" * LARGE),
)


def hostile_records(world: World, random: Random) -> Callable[[], None]:
    """One record at a time, in any partition."""
    writer = HostileClient(world, random)

    def strike() -> None:
        random.choice(writer.kinds)()

    return strike


class HostileClient:
    """What it writes, the world remembers, if it must be counted."""

    def __init__(self, world: World, random: Random) -> None:
        self._world = world
        self._random = random
        self._made = 0
        self.kinds = (self._bad, self._bad, self._bad, self._bad_in_table, self._forged, self._binary)

    def _land(self, topic: str, bad: Bad) -> None:
        place = (topic, self._random.randrange(names.PARTITIONS))
        record = self._world.kafka.land(Appending(place, bad.key, bad.value, bad.headers))
        if bad.reason:
            self._world.reasons[topic, record.content] = bad.reason

    def _bad(self) -> None:
        self._land(names.USAGE, self._random.choice(BAD))

    def _bad_in_table(self) -> None:
        topic = self._random.choice((names.ACCOUNT_TABLE, names.KEY_TABLE))
        self._land(topic, self._random.choice(BAD_IN_TABLES))

    def _forged(self) -> None:
        """An event, good or too old, that says where it was copied from: nobody need believe it."""
        now = self._world.time.now_ms() // 1000
        age = self._random.choice((0, 38 * DAY))
        origin = self._random.choice((now - age, now - 30 * DAY, now + 400 * DAY, -1)) * 1000
        headers = [
            ("origin.topic", names.USAGE.encode()),
            ("origin.partition", b"1"),
            ("origin.offset", b"0"),
            ("origin.time", str(origin).encode()),
        ]
        event = self._event(now - age)
        value = json.dumps(event | {"data": {"quantity": 3}}).encode()
        self._mean(value, event, now - age, 3)
        self._land(names.USAGE, Bad("time_too_old" if age else "", value, headers=headers))

    def _binary(self) -> None:
        """A good event as most of CloudEvents' SDKs write it: its attributes are headers."""
        now = self._world.time.now_ms() // 1000
        event = self._event(now)
        value = json.dumps({"quantity": 2, "note": event["id"]}).encode()
        self._mean(value, event, now, 2)
        headers = [(f"ce_{name}", text.encode()) for name, text in event.items()]
        self._land(names.USAGE, Bad("", value, headers=headers))

    def _event(self, time: int) -> dict[str, str]:
        self._made += 1
        account, meter = self._random.choice(names.ACCOUNTS), CATALOGUE[0].name
        return usage_event(source="hostile", id=f"h{self._made}", type=meter, subject=account, time=from_unix(time))

    def _mean(self, value: bytes, event: dict[str, str], time: int, quantity: int) -> None:
        identity = (event["source"], event["id"])
        self._world.meant[value] = Meant(True, identity, event["subject"], CATALOGUE[0].index, time, quantity)
