"""Everything that the push log's fold keeps in a shard, read with plain commands."""

from dataclasses import dataclass, field
from typing import Any, cast

import redis

from ledger.keys import ShardKeys
from metering.push_fold import InFlight, Parked, PushState
from metering.row import split_bucket_key


@dataclass
class Shown:
    """What a shard shows of its push log."""

    claimed: dict[str, int] = field(default_factory=dict)
    in_flight: dict[str, InFlight] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    accepted: dict[str, int] = field(default_factory=dict)
    carried: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)
    due_order: set[str] = field(default_factory=set)


def of_state(state: PushState) -> Shown:
    """The reference's answer."""
    return Shown(
        claimed={bucket: units for bucket, units in state.claimed.items() if units and not closed(state, bucket)},
        in_flight=state.in_flight,
        parked=state.parked,
        accepted=state.accepted,
        carried=state.carried,
        ended=state.ended,
        held=state.held(),
        due_order={
            bucket
            for bucket, units in state.counted.items()
            if units > state.claimed.get(bucket, 0) and not closed(state, bucket)
        },
    )


def closed(state: PushState, bucket: str) -> bool:
    """Whether the bucket is closed: what is due of it is nobody's business."""
    return split_bucket_key(bucket)[2] < state.closed_before


def of_shard(client: redis.Redis, keys: ShardKeys, state: PushState) -> Shown:
    """Redis' answer; the reference says which buckets there are."""
    counted = {bucket: units for bucket, units in state.counted.items() if not closed(state, bucket)}

    def texts(name: str) -> dict[str, str]:
        found: Any = client.hgetall(name)
        return {field.decode(): value.decode() for field, value in found.items()}

    due = {bucket: int(units) for bucket, units in texts(keys.due).items()}
    accepted, carried = dict[str, int](), dict[str, int]()
    for key in client.scan_iter(match=f"{keys.prefix}{{p{keys.shard}}}s:*", count=1000):
        account = key.decode().split("s:", 1)[1].rsplit(":", 1)[0]
        for minute, units in texts(key.decode()).items():
            if minute.startswith("c|"):
                carried[f"{account}|{minute[2:]}"] = int(units)
            else:
                accepted[minute] = accepted.get(minute, 0) + int(units)
    found: Any = [*client.zrange(keys.due_order, 0, -1), *client.zrange(keys.aside, 0, -1)]  # type: ignore[misc]
    order, ended = [bucket.decode() for bucket in found], cast("set[bytes]", client.smembers(keys.ended))
    assert sorted(due) == sorted(order)
    return Shown(
        claimed={bucket: units - due.get(bucket, 0) for bucket, units in counted.items() if units - due.get(bucket, 0)},
        in_flight={name: InFlight.model_validate_json(entry) for name, entry in texts(keys.in_flight).items()},
        parked={name: Parked.model_validate_json(entry) for name, entry in texts(keys.parked).items()},
        accepted=accepted,
        carried=carried,
        ended={name.decode() for name in ended},
        held=set(texts(keys.held)),
        due_order={bucket for bucket in order if not closed(state, bucket)},
    )
