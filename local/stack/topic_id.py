"""Which topic it is that bears a name: a topic that was deleted and made again is another one."""

from kafka import KafkaAdminClient

from runtime.kafka import sync_options
from runtime.settings import KafkaSettings


def topic_id(settings: KafkaSettings, name: str) -> str:
    """The id that Kafka gave the topic when it was made.

    Raises:
        KafkaError: Kafka does not answer.
    """
    with KafkaAdminClient(**sync_options(settings)) as admin:
        return str(admin.describe_topics([name])[0]["topic_id"])
