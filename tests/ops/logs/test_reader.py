"""Reading a stretch of a topic: committed records only, to an end that is fixed."""

from confluent_kafka import Producer
from kafka import KafkaAdminClient

from ops.logs.reader import LogReader
from runtime.settings import KafkaSettings


def test_aborted_transactions_are_passed_over(
    kafka_bootstrap: str, kafka_admin: KafkaAdminClient, topic_prefix: str
) -> None:
    """Also if the stretch ends in control records; an open transaction is the end of the log."""
    topic = f"{topic_prefix}transactions"
    kafka_admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True)
    producer = Producer({"bootstrap.servers": kafka_bootstrap, "transactional.id": topic_prefix})
    producer.init_transactions()
    for value, commit in ((b"first", True), (b"aborted", False), (b"second", True), (b"aborted", False)):
        producer.begin_transaction()
        producer.produce(topic, value, partition=0)
        producer.flush()
        producer.commit_transaction() if commit else producer.abort_transaction()
    producer.begin_transaction()
    producer.produce(topic, b"open", partition=0)
    producer.flush()

    with LogReader(KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap)) as reader:
        bounds = reader.bounds(topic)[0]
        read = [each.value for records in reader.read(topic, 0, *bounds) for each in records]
        first = [each.value for records in reader.read(topic, 0, 0, 4) for each in records]
    producer.abort_transaction()

    assert bounds == (0, 8)
    assert (read, first) == ([b"first", b"second"], [b"first"])
