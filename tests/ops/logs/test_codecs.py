"""All commands read all codecs, chosen by a producer or by the topic."""

import json

import pytest
from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from tests.ops.replay_house import ReplayHouse, event

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
EACH = 40  # events of one codec: enough for packing them to pay


def publish(house: ReplayHouse, account: str, codec: str) -> None:
    """Writes events of the account, and one that can't be counted, by librdkafka."""
    producer = Producer(
        {
            "bootstrap.servers": house.settings.kafka_bootstrap_servers,
            "partitioner": "murmur2_random",
            "compression.type": codec,
            "linger.ms": 50,
        }
    )
    values = [event(account, f"{codec}-{number}") for number in range(EACH)]
    for value in [*values, event(account, codec, type="fax.send")]:
        producer.produce(house.names.usage, json.dumps(value).encode(), account)
    assert producer.flush(30) == 0


def test_every_command_reads_the_usage_log_in_every_codec(house: ReplayHouse) -> None:
    """The codec changes nothing in counts, comparisons, forecasts, lists and letters."""
    account = house.new_account()
    for codec in CODECS:
        publish(house, account, codec)

    assert house.totals(account) == {"sms.send": EACH * len(CODECS)}
    letters = house.letters(account, len(CODECS))
    verdict = house.json("verify", "--account", account)
    assert [(each["equal"], each["differences"]) for each in verdict] == [(True, [])]
    assert house.json("replay", "--account", account, "--dry-run")["duplicates"] == EACH * len(CODECS)
    assert {each["phase"] for each in house.json("status")["shards"]} == {"ready"}
    assert house.json("dlq", "list", "--source", f"/test/{account}")["open"] == len(CODECS)
    assert "fax.send" in house.done("dlq", "show", str(letters[0].origin))


@pytest.mark.parametrize("codec", CODECS[1:])
def test_every_command_reads_the_other_logs_in_every_codec(
    house: ReplayHouse, kafka_admin: KafkaAdminClient, codec: str
) -> None:
    """The topic's setting chooses the codec; the broker packs the records, in Java."""
    names, account = house.names, house.new_account()
    for topic in (names.accounts, names.api_keys, names.dead_letters):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs={"compression.type": codec})
        kafka_admin.alter_configs([resource])

    house.done("accounts", "set", account, "--stripe-customer", f"cus_{codec}")
    house.done("keys", "create", account)
    house.publish(event(account, "1", type="sms.sent"))
    (letter,) = house.letters(account, 1)
    house.done("dlq", "redrive", str(letter.origin), "--set", "type=sms.send", "--yes")

    assert f"cus_{codec}" in house.done("accounts", "show", account)
    assert account in house.done("keys", "list", account)
    assert house.totals(account) == {"sms.send": 1}
    assert house.json("dlq", "list", "--source", f"/test/{account}")["open"] == 0
