"""Which partition, and so which shard, an account's records belong to.

Kafka's Java client, kafka-python and aiokafka agree on murmur2; librdkafka's default partitioner does not.
"""

from functools import lru_cache

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's murmur2 hash, unsigned 32 bits (org.apache.kafka.common.utils.Utils#murmur2)."""
    length = len(data)
    value = _SEED ^ length
    whole = length & ~3
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * _M & _MASK
        word ^= word >> 24
        value = (value * _M & _MASK) ^ (word * _M & _MASK)
    if whole < length:
        value = (value ^ int.from_bytes(data[whole:], "little")) * _M & _MASK
    value ^= value >> 13
    value = value * _M & _MASK
    return value ^ value >> 15


@lru_cache(maxsize=1 << 17)
def partition_of(key: str, partitions: int) -> int:
    """The partition of a key among `partitions`, memoised: hashing in Python costs microseconds."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
