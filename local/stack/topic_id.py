"""The id of a topic: a topic that was deleted and made again has the same name, but another id."""

from kafka import KafkaAdminClient

from runtime.kafka_reaching import connected
from runtime.settings import KafkaSettings


def topic_id(settings: KafkaSettings, name: str) -> str:
    """Returns the id that Kafka gave the topic when it was made.

    Raises:
        KafkaUnreachableError, KafkaError: Kafka does not answer.
    """
    with connected(KafkaAdminClient, settings) as admin:
        return str(admin.describe_topics([name])[0]["topic_id"])
