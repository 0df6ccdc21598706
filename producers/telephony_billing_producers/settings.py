"""The settings of an emitter, from the service that makes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ._spool.spool import DEFAULT_MAX_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class EmitterSettings:
    """Where Kafka and the spool are, and how patient to be.

    Attributes:
        bootstrap_servers: `host:port` of Kafka, several separated by commas.
        spool_directory: a directory of this service on this machine, on a disk that outlives its processes. Each
            process takes a slot of its own in it, and sends what dead ones have left in theirs.
        topic_prefix: what stands before every topic's name.
        client: `kafka-python`; or `librdkafka`, which costs less and needs the extra of that name.
        kafka_options: further settings of the client, such as how to log in, in its own words: `security_protocol` of
            `kafka.KafkaProducer`, or `security.protocol` of librdkafka.
        spool_max_bytes: how much may wait on disk for each process. A full spool makes `emit` raise.
        buffer_bytes: how much may be handed to Kafka and unacknowledged; more goes to the spool.
        patience_seconds: how long Kafka may take to acknowledge before an event is spooled.
        connect_timeout_seconds: how long one attempt to connect may take; making an emitter waits for one.
        retry_seconds: the pause between two rounds of looking after the spool and the connection.
    """

    bootstrap_servers: str
    spool_directory: Path | str
    topic_prefix: str = ""
    client: Literal["kafka-python", "librdkafka"] = "kafka-python"
    kafka_options: Mapping[str, object] = field(default_factory=dict)
    spool_max_bytes: int = DEFAULT_MAX_BYTES
    buffer_bytes: int = 32 * 1024 * 1024
    patience_seconds: float = 5.0
    connect_timeout_seconds: float = 5.0
    retry_seconds: float = 0.5

    @property
    def spool_path(self) -> Path:
        """The spool's directory as a path."""
        return Path(self.spool_directory)
