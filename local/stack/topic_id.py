"""Which topic it is that bears a name: a topic that was deleted and made again is another one."""

from kafka import KafkaAdminClient

from runtime.kafka_reaching import connected
from runtime.settings import KafkaSettings


def topic_id(settings: KafkaSettings, name: str) -> str:
    """The id that Kafka gave the topic when it was made.

    Raises:
        KafkaUnreachableError, KafkaError: Kafka does not answer.
    """
    with connected(KafkaAdminClient, settings) as admin:
        return str(admin.describe_topics([name])[0]["topic_id"])
