"""Everything that the push log's fold keeps in a shard, read with plain commands."""

from dataclasses import dataclass, field
from typing import Any

import redis

from ledger.keys import ShardKeys
from metering.push_log import InFlight, Parked, PushState


@dataclass
class Shown:
    """What a shard shows of its push log."""

    claimed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    due_order: set[str] = field(default_factory=set)


def of_state(state: PushState) -> Shown:
    """The reference's answer."""
    return Shown(
        claimed={bucket: units for bucket, units in state.claimed.items() if units},
        in_flight=state.in_flight,
        parked=state.parked,
        accepted=state.accepted,
        held=state.held(),
        due_order={bucket for bucket, units in state.counted.items() if units > state.claimed.get(bucket, 0)},
    )


def of_shard(client: redis.Redis, keys: ShardKeys, counted: dict[str, int]) -> Shown:
    """Redis' answer; `counted` names the buckets."""

    def texts(name: str) -> dict[str, str]:
        found: Any = client.hgetall(name)
        return {field.decode(): value.decode() for field, value in found.items()}

    due = {bucket: int(units) for bucket, units in texts(keys.due).items()}
    accepted: dict[str, int] = {}
    for key in client.scan_iter(match=f"{keys.prefix}{{p{keys.shard}}}s:*", count=1000):
        for minute, units in texts(key.decode()).items():
            accepted[minute] = accepted.get(minute, 0) + int(units)
    order: Any = client.zrange(keys.due_order, 0, -1)
    assert set(due) == {bucket.decode() for bucket in order}
    return Shown(
        claimed={bucket: units - due.get(bucket, 0) for bucket, units in counted.items() if units - due.get(bucket, 0)},
        in_flight={name: InFlight.model_validate_json(entry) for name, entry in texts(keys.in_flight).items()},
        parked={name: Parked.model_validate_json(entry) for name, entry in texts(keys.parked).items()},
        accepted=accepted,
        held=set(texts(keys.held)),
        due_order={bucket.decode() for bucket in order},
    )
