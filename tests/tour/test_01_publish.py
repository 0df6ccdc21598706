"""1. Publish: a telephony service says what has happened, and Kafka keeps it.

A service writes one event for each SMS, call or number. It needs no answer from the platform: once Kafka has the event,
the event will be counted, whatever breaks afterwards.
"""

import json
from pathlib import Path

from kafka import KafkaConsumer
from prometheus_client import CollectorRegistry

from telephony_billing_producers import EmitterSettings, SmsService, UsageEmitter
from tests.support.platform import Platform


def test_a_service_publishes_an_event(platform: Platform, tmp_path: Path) -> None:
    """Given an account, when a service reports an SMS, then Kafka has it, and the account's usage is one SMS more."""
    account = platform.new_account()
    kafka = platform.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"]
    prefix = platform.env["BILLING_TOPIC_PREFIX"]
    settings = EmitterSettings(bootstrap_servers=kafka, spool_directory=tmp_path, topic_prefix=prefix)

    with UsageEmitter(settings, registry=CollectorRegistry()) as emitter:
        delivery = SmsService(emitter).sent(account, message_id="SM1f0c9a")
        assert delivery.result(timeout=10) == "acknowledged"

    platform.shows(account, sms_send=1)


def test_an_event_is_a_cloudevent_under_the_accounts_key(platform: Platform, tmp_path: Path) -> None:
    """Given one event from a shell, when the log is read, then its key is the account and its value a CloudEvent.

    The key decides the partition. So all events of one account are in one partition, and one process counts them.
    """
    account = platform.new_account()
    platform.billing("emit", "--account", account, "--meter", "voice.ai", "--quantity", "3", "--id", "call-1")

    kafka = platform.env["BILLING_KAFKA_BOOTSTRAP_SERVERS"]
    log = KafkaConsumer(
        platform.topics.usage, bootstrap_servers=kafka, auto_offset_reset="earliest", consumer_timeout_ms=5_000
    )
    record = next(each for each in log if each.key == account.encode())
    log.close()

    event = json.loads(record.value)
    assert (event["subject"], event["type"], event["id"]) == (account, "voice.ai", "call-1")
    assert event["data"] == {"quantity": 3}
