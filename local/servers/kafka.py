"""A real Apache Kafka for one machine: a single KRaft broker as a child process."""

import base64
import os
import socket
import subprocess
import uuid
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from local.servers.java import find_java
from local.servers.kafka_jars import kafka_jars
from local.servers.ports import LOOPBACK, free_ports, require_free
from local.servers.process import Command, ServerError, ServerProcess

NODE_ID = 1
FORMAT_SECONDS = 60.0
ANSWER_MS = 2_000  # milliseconds for one attempt to get an answer; the caller's deadline limits the attempts

LOG_OPTIONS = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
)
# The optimising compiler starts only after ten times the default number of calls. Hot code is still optimised, and a
# boot takes a quarter less processor time, which the other processes of a booting stack need.
COMPILER_OPTIONS = (
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
# 330 MB resident in practice.
JVM_OPTIONS = (
    "-Xmx512m",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
    *COMPILER_OPTIONS,
    *LOG_OPTIONS,
)
# The run takes less than a second: the optimising compiler would only cost time.
FORMAT_OPTIONS = ("-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *LOG_OPTIONS)

SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={node_id}@{host}:{controller_port}
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{port}
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dir}

# `billing topics` makes the topics, with their own retention times; a misspelt name must be an error.
auto.create.topics.enable=false

# There is one broker to replicate to.
default.replication.factor=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1

# There are few groups and producers: three partitions are enough. With the default of 50, the first consumer group
# would have to wait for them, and every start after a kill would have to recover them.
offsets.topic.num.partitions=3
transaction.state.log.num.partitions=3
share.coordinator.state.topic.num.partitions=3

# A first member need not wait 3 s for others to join.
group.initial.rebalance.delay.ms=0

# A killed broker may register again only after its last session: 9 s by default, meant for several machines.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500

# 128 MB by default, a quarter of this heap.
log.cleaner.dedupe.buffer.size=33554432
"""


class KafkaServer(ServerProcess):
    """One broker with one data directory, which holds the logs, the cluster's id and the configuration.

    The data directory stays when the server ends, even after a kill. A broker may use it again on other ports.
    """

    def __init__(
        self,
        *,
        data: Path,
        port: int,
        controller_port: int,
        java: Path,
        class_path: list[Path],
        log: Path | None = None,
    ) -> None:
        """`log` is the file for the broker's output; default: `kafka.log` in the data directory."""
        self.data = data.absolute()
        self.port = port
        self.controller_port = controller_port
        self._java = str(java)
        self._class_path = ["-cp", os.pathsep.join(map(str, class_path))]
        self._properties = self.data / "server.properties"
        self._log_dir = self.data / "log"
        argv = [self._java, *JVM_OPTIONS, *self._class_path, "kafka.Kafka", str(self._properties)]
        super().__init__("Kafka", Command(argv, log or self.data / "kafka.log"), self._answers)

    @property
    def bootstrap_servers(self) -> str:
        """Returns the address for clients: host:port."""
        return f"{LOOPBACK}:{self.port}"

    def spawn(self) -> None:
        """Writes the configuration, formats a new data directory, and starts the broker.

        Raises:
            PortTakenError: another process has one of the ports.
            ServerError: formatting failed.
        """
        if not self.running:
            require_free(self.port, "Kafka")
            require_free(self.controller_port, "Kafka's controller")
            self.data.mkdir(parents=True, exist_ok=True)
            self._properties.write_text(self._configuration())
            self._format()
        super().spawn()

    def _configuration(self) -> str:
        return SERVER_PROPERTIES.format(
            node_id=NODE_ID,
            host=LOOPBACK,
            port=self.port,
            controller_port=self.controller_port,
            log_dir=self._log_dir,
        )

    def _format(self) -> None:
        """Formats the log directory. Kafka writes meta.properties last, so a directory with this file is complete."""
        if (self._log_dir / "meta.properties").exists():
            return
        argv = [self._java, *FORMAT_OPTIONS, *self._class_path, "kafka.tools.StorageTool", "format"]
        argv += ["--ignore-formatted", "--cluster-id", self._cluster_id(), "--config", str(self._properties)]
        self.command.log.parent.mkdir(parents=True, exist_ok=True)
        with self.command.log.open("ab") as log:
            formatted = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=FORMAT_SECONDS, check=False
            )
        if formatted.returncode != 0:
            raise ServerError(f"Kafka could not format {self._log_dir}: {self.tail(1)} (all of it: {self.command.log})")

    def _cluster_id(self) -> str:
        """Returns the id kept with the data; a new directory gets one: 22 characters of base64, as Kafka's Uuid."""
        kept = self.data / "cluster.id"
        if not kept.exists():
            # The leading "A" keeps the storage tool from reading an id that begins with "-" as an option.
            kept.write_text("A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22])
        return kept.read_text()

    def _answers(self) -> bool:
        """Returns whether the broker describes its cluster and is not fenced: a fenced broker leads no partition."""
        if not _listens(self.port):
            return False
        try:
            with KafkaAdminClient(
                bootstrap_servers=self.bootstrap_servers, bootstrap_timeout_ms=ANSWER_MS, request_timeout_ms=ANSWER_MS
            ) as admin:
                brokers = admin.describe_cluster()["brokers"]
        except (KafkaError, OSError):
            return False
        return any(broker["broker_id"] == NODE_ID and not broker.get("is_fenced") for broker in brokers)


def embedded_kafka(
    data: Path, cache: Path, port: int | None = None, controller_port: int | None = None, log: Path | None = None
) -> KafkaServer:
    """Returns a broker for the directory `data`, not started yet. Missing jars are downloaded to `cache`.

    Ports that are not given are chosen among the free ones.

    Raises:
        JarError: the jars can't be downloaded.
    """
    spare = free_ports(2)
    return KafkaServer(
        data=data,
        port=port or spare[0],
        controller_port=controller_port or spare[1],
        java=find_java(),
        class_path=kafka_jars(cache.absolute()),
        log=log,
    )


def _listens(port: int) -> bool:
    """Returns whether something listens: a cheap check before the client's slow one, which logs refusals."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0
