"""`billing explain`: from a row at Stripe back to its events."""

import json
from collections import Counter
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from metering.push_log import Prepared, Settled, decode
from tests.ops.installation import PARTITIONS, System


def delivered(system: System) -> dict[str, int]:
    """The value of every delivered row, by identifier."""
    consumer = KafkaConsumer(
        bootstrap_servers=system.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"], auto_offset_reset="earliest"
    )
    places = [TopicPartition(system.topics.pushes, number) for number in range(PARTITIONS)]
    consumer.assign(places)
    ends, rows, settled = consumer.end_offsets(places), dict[str, int](), set[str]()
    while any(consumer.position(place) < end for place, end in ends.items()):
        for records in consumer.poll(100).values():
            for record in (decode(each.value) for each in records):
                if isinstance(record, Settled):
                    settled |= {each.identifier for each in record.settlements}
                elif isinstance(record, Prepared):
                    rows |= {row.identifier(record.identity.namespace): row.value for row in record.rows}
    consumer.close()
    return {name: value for name, value in rows.items() if name in settled}


def explained(system: System, identifier: str) -> dict[str, Any]:
    """The command's answer as JSON."""
    done = system.billing("explain", identifier, "--json")
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_every_row_is_the_sum_of_its_events(system: System) -> None:
    """The largest rows, and the smallest: ids, units and places are all there, and no event is in two rows."""
    rows = sorted(delivered(system).items(), key=lambda item: item[1])
    places = Counter[tuple[int, int]]()
    for identifier, value in [*rows[:2], *rows[-3:]]:
        found = explained(system, identifier)
        assert (found["identifier"], found["value"], found["units"]) == (identifier, value, value)
        assert sum(event["quantity"] for event in found["events"]) == value
        assert [record["what"] for record in found["records"]] == ["prepared", "delivered"]
        places.update((event["partition"], event["offset"]) for event in found["events"])
    assert set(places.values()) == {1}
