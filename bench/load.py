"""The load for all contestants: usage events of many accounts, a few of them repeated."""

import random
from collections.abc import Iterator

from metering.meters import CATALOGUE
from metering.rfc3339 import from_unix

ACCOUNTS = 10_000
REPEATED = 0.01  # share of events that are repeated
SPAN_SECONDS = 7200  # seconds that the event times cover, up to now
LATE_SECONDS = 60  # seconds by which an event may be out of order
_OLD = 10_000  # events that may be repeated
_EVENT = (
    b'{"specversion":"1.0","id":"%016x","source":"/sms/gateway-1","type":"%s","subject":"%s","time":"%s",'
    b'"data":{"quantity":%d}}'
)
_METERS = [meter.name.encode() for meter in CATALOGUE]


def events(count: int, *, now: int, seed: int = 1, accounts: int = ACCOUNTS) -> Iterator[tuple[str, bytes]]:
    """Yields (account, value) of `count` records up to `now` (Unix seconds); the same for the same arguments.

    A few accounts have most of the events: the choice is the square of a uniform one.
    """
    rng = random.Random(seed)  # noqa: S311 - a load, not a secret
    times = [
        from_unix(now - SPAN_SECONDS - LATE_SECONDS + second).encode() for second in range(SPAN_SECONDS + LATE_SECONDS)
    ]
    names = [f"acct_{number:06d}" for number in range(accounts)]
    old: list[tuple[str, bytes]] = []
    for made in range(count):
        if old and rng.random() < REPEATED:
            yield old[int(rng.random() * len(old))]
            continue
        account, meter = names[int(accounts * rng.random() ** 2)], _METERS[int(rng.random() * len(_METERS))]
        time = times[made * SPAN_SECONDS // count + int(rng.random() * LATE_SECONDS)]
        value = _EVENT % (rng.getrandbits(64), meter, account.encode(), time, 1 + int(rng.random() * 9))
        if len(old) < _OLD:
            old.append((account, value))
        yield account, value
