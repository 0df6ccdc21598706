"""apache/kafka under testcontainers, whose own KafkaContainer knows only Confluent's image."""

import io
import tarfile

from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from tests.support.servers import KAFKA_IMAGE

HOST_PORT = 9094
START_SCRIPT = "/tmp/testcontainers_start.sh"  # noqa: S108 - inside the container
START_SECONDS = 60

# The containers are stopped by the fixtures that start them: no need for another image that does so.
testcontainers_config.ryuk_disabled = True


class KafkaContainer(DockerContainer):
    """One KRaft broker, configured like the embedded one where tests can tell."""

    def __init__(self) -> None:
        super().__init__(KAFKA_IMAGE)
        self.with_exposed_ports(HOST_PORT)
        self.with_envs(
            CLUSTER_ID="4L6g3nShT-eMCtK--X86sw",
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_LISTENERS=f"BROKER://:9092,HOST://:{HOST_PORT},CONTROLLER://:9093",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="BROKER:PLAINTEXT,HOST:PLAINTEXT,CONTROLLER:PLAINTEXT",
            KAFKA_INTER_BROKER_LISTENER_NAME="BROKER",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="3",
            KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR="1",
            KAFKA_TRANSACTION_STATE_LOG_MIN_ISR="1",
            KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS="3",
            KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS="0",
            KAFKA_HEAP_OPTS="-Xmx512M",
        )
        # The advertised port is known only once the container runs, so the broker waits for a script that tells it.
        self.with_command(
            ["bash", "-c", f"while [ ! -f {START_SCRIPT} ]; do sleep 0.1; done; exec bash {START_SCRIPT}"]
        )

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients outside of the container: host:port."""
        return f"{self.get_container_host_ip()}:{self.get_exposed_port(HOST_PORT)}"

    def start(self) -> "KafkaContainer":
        """Start the container, tell the broker its address, wait until it says that it has started."""
        super().start()
        listeners = f"HOST://{self.bootstrap_servers},BROKER://localhost:9092"
        self._write(START_SCRIPT, f"export KAFKA_ADVERTISED_LISTENERS={listeners}\nexec /etc/kafka/docker/run\n")
        LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_SECONDS).wait_until_ready(self)
        return self

    def _write(self, path: str, text: str) -> None:
        data = text.encode()
        entry = tarfile.TarInfo(path.lstrip("/"))
        entry.size, entry.mode = len(data), 0o755
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.addfile(entry, io.BytesIO(data))
        self.get_wrapped_container().put_archive("/", archive.getvalue())
