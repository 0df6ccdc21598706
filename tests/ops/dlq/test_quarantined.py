"""Records that were passed by are published again only if a person asks for them."""

import asyncio
import time

from confluent_kafka import Producer
from redis.asyncio import Redis

from aggregator.folds.quarantine import ORIGINAL, UNREAD
from ledger.redis_store import RedisStore
from ledger.shard import Ledger
from ledger.state import read_state
from metering.quarantine import OrderKey, QuarantineOrder
from ops.dlq.planning import Fate, Redrive, plan_letter
from ops.logs.dead_letters import DeadLetter, LetterOrigin, read_letter
from tests.metering.events import Record
from tests.ops.replay_house import FOLD_SECONDS, PARTITIONS, ReplayHouse, event
from tests.support.eventually import eventually


def quarantined(house: ReplayHouse, partition: int) -> int:
    """The number of offsets that the shard has passed by."""

    async def read() -> int:
        async with Redis.from_url(house.settings.redis_url) as client:
            shard = Ledger(RedisStore(client), house.settings.redis_prefix, PARTITIONS).shard(partition)
            return (await read_state(shard)).conservation.quarantined

    return asyncio.run(read())


def pass_by(house: ReplayHouse, partition: int, offset: int) -> None:
    """Writes an order without the command, and folds everything anew until the shard obeys it."""
    before = quarantined(house, partition)
    key = OrderKey(house.names.usage, partition, offset)
    order = QuarantineOrder(offset=offset, end=offset + 1, why="a test", who="ops", time=int(time.time()))
    producer = Producer({"bootstrap.servers": house.settings.kafka_bootstrap_servers})
    producer.produce(house.names.quarantine, order.to_json(), str(key))
    assert producer.flush(30) == 0

    def obeyed() -> bool:
        house.flush_redis()
        house.wait_folded()
        return quarantined(house, partition) == before + 1

    eventually(obeyed, FOLD_SECONDS, "the order is obeyed")


def test_a_letter_with_its_original_is_redriven(house: ReplayHouse) -> None:
    """It was never counted before; the order is about its old offset, not about the event."""
    account = house.new_account()
    house.publish(event(account, "1", data={"quantity": 5}), event(account, "2"))
    house.wait_folded()
    (partition, first), _ = house.records(account)
    pass_by(house, partition, first.offset)
    assert house.totals(account) == {"sms.send": 1}
    (letter,) = house.letters(account, 1)
    assert (letter.reason, letter.detail, letter.unread) == ("quarantined", "ops: a test", False)

    house.done("dlq", "redrive", str(letter.origin), "--yes")

    assert house.totals(account) == {"sms.send": 6}


def test_a_replay_leaves_it_out_unless_it_is_asked_for(house: ReplayHouse, tmp_path) -> None:
    """A replay of a stretch does not mean the records that a person has set aside."""
    account = house.new_account()
    house.publish(event(account, "1", data={"quantity": 5}), event(account, "2"))
    house.wait_folded()
    (partition, first), _ = house.records(account)
    pass_by(house, partition, first.offset)
    stretch = ("--partition", str(partition), "--offsets", f"{first.offset}:", "--account", account)
    command = ("replay", *stretch, "--progress", tmp_path / "progress.json")

    left = house.billing(*command)
    assert (left.exit_code, "sent: 1" in left.stdout) == (0, True)
    assert "left out: 1 offsets" in left.stderr
    assert house.totals(account) == {"sms.send": 1}

    house.done(*command, "--quarantined")
    assert house.totals(account) == {"sms.send": 6}


def letter(**headers: str) -> DeadLetter:
    """A letter of the usage log as it is read."""
    own = {"dlq.topic": "usage", "dlq.partition": "3", "dlq.offset": "100", "dlq.time": "2026-06-20T12:00:00Z"}
    found = read_letter(0, Record(7, b"", headers=[(name, text.encode()) for name, text in (own | headers).items()]))
    assert found is not None
    return found


def test_a_letter_without_its_original_can_not_be_redriven() -> None:
    """Not by any option; the error says what can be done instead."""
    unread = letter(**{"dlq.reason": "quarantined", ORIGINAL: UNREAD})
    assert (unread.origin, unread.unread) == (LetterOrigin("usage", 3, 100), True)

    planned = plan_letter(unread, Record(7, b""), Redrive("usage", PARTITIONS, 0, force=True))

    assert planned.fate is Fate.UNREAD
    assert "billing replay --quarantined --partition 3 --offsets 100:" in planned.detail


def test_whether_there_is_an_original_is_the_platform_s_word() -> None:
    """A producer's header of that name does not count: the last one does, and rejects have none."""
    assert not letter(**{"dlq.reason": "invalid_json", ORIGINAL: UNREAD}).unread
    assert not letter(**{"dlq.reason": "quarantined", ORIGINAL: "whole"}).unread
