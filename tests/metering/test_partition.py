"""Which partition a key belongs to: what Kafka's own clients say."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import example, given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as kafka_python_murmur2

from metering.partition import murmur2, partition_of


@given(st.binary(max_size=64))
@example(b"")
@example(b"\xff\x80\x7f\x00")
def test_the_hash_is_that_of_kafka_python_and_aiokafka(key) -> None:
    """For every length and every byte, the ones that are negative in Java included."""
    assert murmur2(key) == kafka_python_murmur2(key) & 0xFFFFFFFF == aiokafka_murmur2(key) & 0xFFFFFFFF


@pytest.mark.parametrize(
    ("key", "value"),
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536), ("abc", 479470107)],
)
def test_the_hash_is_that_of_the_java_client(key, value) -> None:
    """The values of Apache Kafka's own UtilsTest#testMurmur2."""
    assert murmur2(key.encode()) == value & 0xFFFFFFFF


@given(st.text(max_size=32), st.integers(1, 1000))
def test_a_partition_is_where_kafka_python_puts_the_key(key, partitions) -> None:
    """The hash without its sign, modulo the number of partitions."""
    assert partition_of(key, partitions) == (kafka_python_murmur2(key.encode()) & 0x7FFFFFFF) % partitions
