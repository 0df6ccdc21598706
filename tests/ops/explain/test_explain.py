"""`billing explain`, on logs that the test writes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from typer.testing import CliRunner, Result

from local.stack.settings import settings_of
from metering.bucket import HOUR_SECONDS
from metering.outcome import ParkReason
from metering.push_log import (
    Prepared,
    PushRecord,
    ReissueOrder,
    Settled,
    Settlement,
    StripeIdentity,
    WriteOffOrder,
    encode,
)
from metering.rfc3339 import from_unix
from metering.row import Row
from ops.cli import app
from runtime.settings import KafkaSettings
from runtime.topics import TopicNames, create_topics

IDENTITY = StripeIdentity(namespace="tests", account="acct_1", livemode=False)


@dataclass
class Logs:
    """Both logs, with one partition, and an hour that has just begun or passed."""

    env: dict[str, str]
    admin: KafkaAdminClient
    producer: KafkaProducer
    hour: int

    @property
    def topics(self) -> TopicNames:
        """Their names."""
        return TopicNames(self.env["BILLING_TOPIC_PREFIX"])

    def use(self, *events: tuple[str, int]) -> int:
        """Publishes events (id, quantity) of the hour. Returns the end of the log."""
        for event_id, quantity in events:
            event = {
                "specversion": "1.0",
                "id": event_id,
                "source": "/sms",
                "type": "sms.send",
                "subject": "acme",
                "time": from_unix(self.hour * HOUR_SECONDS),
                "data": {"quantity": quantity},
            }
            sent = self.producer.send(self.topics.usage, json.dumps(event).encode(), key=b"acme", partition=0).get(10)
        return int(sent.offset) + 1

    def push(self, *records: PushRecord) -> None:
        """Appends to the push log."""
        for record in records:
            self.producer.send(self.topics.pushes, encode(record), key=b"0", partition=0).get(10)

    def row(self, start: int, end: int, customer: str = "cus_1") -> Row:
        """A row of the hour."""
        time = self.hour * HOUR_SECONDS
        return Row(
            account="acme",
            meter="sms.send",
            hour=self.hour,
            start=start,
            end=end,
            customer=customer,
            timestamp=time,
        )

    def explain(self, *arguments: str) -> Result:
        """Runs the command."""
        done = CliRunner(env=self.env).invoke(app, ["explain", *arguments])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def explained(self, row: Row) -> dict[str, Any]:
        """The answer for programs."""
        done = self.explain(name(row), "--json")
        answer: dict[str, Any] = json.loads(done.stdout)
        assert (done.exit_code == 0) == answer["explained"]
        return answer


def name(row: Row) -> str:
    """Its identifier."""
    return row.identifier("tests")


def prepared(fence: int, *rows: Row) -> Prepared:
    """A record."""
    return Prepared(identity=IDENTITY, usage_fence=fence, rows=rows)


def settled(row: Row, parked: ParkReason | None = None) -> Settled:
    """A record."""
    return Settled(settlements=(Settlement(identifier=name(row), parked=parked, detail="no such customer"),))


@pytest.fixture
def logs(kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic_prefix: str) -> Iterator[Logs]:
    """Empty ones."""
    env = {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "BILLING_TOPIC_PREFIX": topic_prefix,
        "BILLING_PARTITIONS": "1",
    }
    create_topics(settings_of(KafkaSettings, env))
    producer = KafkaProducer(bootstrap_servers=kafka_bootstrap, acks="all")
    now = producer.send(TopicNames(topic_prefix).accounts, b"{}", key=b"x", partition=0).get(10).timestamp // 1000
    yield Logs(env, kafka_admin, producer, now // HOUR_SECONDS - 1)
    producer.close()


def ids(answer: dict[str, Any]) -> list[tuple[str, int]]:
    """Its events."""
    return [(event["event_id"], event["quantity"]) for event in answer["events"]]


def test_rows_of_one_bucket_share_its_events_without_rest(logs: Logs) -> None:
    """Two rows in sequence, with a duplicate between them; all records of the log are explained."""
    first = logs.use(("a", 5), ("b", 7))
    second = logs.use(("a", 5), ("c", 3), ("d", 1))
    logs.use(("e", 9))
    one, two = logs.row(0, 12), logs.row(12, 16)
    logs.push(prepared(first, one), settled(one), prepared(second, two), settled(two))
    assert ids(logs.explained(one)) == [("a", 5), ("b", 7)]
    answer = logs.explained(two)
    assert ids(answer) == [("c", 3), ("d", 1)]
    assert [(event["partition"], event["offset"]) for event in answer["events"]] == [(0, 3), (0, 4)]
    assert [(entry["offset"], entry["what"]) for entry in answer["records"]] == [(2, "prepared"), (3, "delivered")]


def test_packed_logs_are_read(logs: Logs) -> None:
    """By the codecs that their topics choose; the broker packs them."""
    for topic, codec in ((logs.topics.usage, "zstd"), (logs.topics.pushes, "snappy")):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"compression.type": codec})
        logs.admin.alter_configs([resource])
    row = logs.row(0, 5)
    logs.push(prepared(logs.use(("a", 5)), row), settled(row))

    assert ids(logs.explained(row)) == [("a", 5)]


def test_what_became_of_a_row_is_told_with_what_took_its_place(logs: Logs) -> None:
    """Parked, reissued to another customer, parked again, written off: with person and reason, by either identifier."""
    fence = logs.use(("a", 5))
    old, new = logs.row(0, 5, "cus_wrong"), logs.row(0, 5)
    order = {"who": "Ada", "why": "ticket 12"}
    logs.push(
        prepared(fence, old),
        settled(old, ParkReason.UNKNOWN_CUSTOMER),
        ReissueOrder(old=name(old), parked_ms=0, namespace="tests", row=new, **order),
        settled(new, ParkReason.NO_METER),
        WriteOffOrder(identifier=name(new), **order),
    )
    for row in (old, new):
        answer = logs.explained(row)
        assert answer["row"]["customer"] == row.customer
        assert ids(answer) == [("a", 5)]
        assert [(entry["identifier"], entry["what"]) for entry in answer["records"]] == [
            (name(old), "prepared"),
            (name(old), "parked: unknown_customer: no such customer"),
            (name(new), f"reissue ordered by Ada in place of {name(old)}: ticket 12"),
            (name(new), "parked: no_meter: no such customer"),
            (name(new), "write-off ordered by Ada: ticket 12"),
        ]


def test_an_id_that_was_used_in_another_hour_is_not_counted_twice(logs: Logs) -> None:
    """The bucket alone would have too many units; the second walk finds out why."""
    logs.hour -= 1
    logs.use(("a", 5))
    logs.hour += 1
    fence = logs.use(("a", 5), ("b", 2))
    row = logs.row(0, 2)
    logs.push(prepared(fence, row))
    assert ids(logs.explained(row)) == [("b", 2)]


def test_what_retention_has_taken_is_said(logs: Logs) -> None:
    """The first row's events are gone, the second row's are complete."""
    first = logs.use(("a", 5), ("b", 7))
    second = logs.use(("c", 3))
    one, two = logs.row(0, 12), logs.row(12, 15)
    logs.push(prepared(first, one), prepared(second, two))
    logs.admin.delete_records({TopicPartition(logs.topics.usage, 0): 1})
    assert ids(logs.explained(two)) == [("c", 3)]
    answer = logs.explained(one)
    assert ids(answer) == [("b", 7)]
    assert answer["lacking"].startswith("5 units are not in the usage log any more: retention has left what was")


def test_a_log_with_too_many_units_is_said(logs: Logs) -> None:
    """The shard had counted less: something is wrong with the logs or with the count."""
    fence = logs.use(("a", 5), ("b", 7))
    row = logs.row(0, 11)
    logs.push(prepared(fence, row))
    assert "the log has 12 units of the bucket where the shard had counted 11" in logs.explained(row)["lacking"]


def test_a_person_reads_it(logs: Logs) -> None:
    """Row, records, the last events, the sum; by the beginning of the identifier, in the account's shard."""
    fence = logs.use(("a", 5), ("b\x07", 1), ("c", 2))
    row = logs.row(0, 7)
    logs.push(prepared(fence, row), settled(row))
    done = logs.explain(name(row)[:10], "--events", "1", "--account", "acme", "--since", from_unix(0))
    assert done.exit_code == 0, done.output
    assert "units 0 to 7" in done.stdout
    assert "earlier events, not shown: 1;" in done.stdout
    assert done.stdout.endswith("events: 2, units: 7: all of the row's 7\n")


def test_nobody_and_several_are_refused(logs: Logs) -> None:
    """The errors say what to do."""
    logs.push(prepared(0, logs.row(0, 7)))
    assert "no row in the push log of shard 0 has" in logs.explain("0123456789").stderr
    assert "is no identifier: give at least 8" in logs.explain("0123").stderr
    late = from_unix((logs.hour + 48) * HOUR_SECONDS)
    assert "no row in the push log" in logs.explain(name(logs.row(0, 7)), "--since", late).stderr
