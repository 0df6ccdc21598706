"""Whatever keeps a process from starting, or a command from its work: one line that says what is wrong.

The table below goes through them. Every row is a real process, started beside others; nothing else may go wrong in it.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from local.servers.redis import embedded_redis
from runtime.exit_codes import CANNOT_GO_ON, CANNOT_TELL
from runtime.settings import KafkaSettings
from runtime.topics import create_topics
from tests.runtime.faults import (
    PASSWORD,
    SECRET,
    STATELESS,
    Places,
    asking_for_a_login,
    certificate,
    guard,
    nowhere,
    tls_server,
)
from tests.runtime.processes import Asked, Ended, ended_processes
from tests.support.redis_cluster import cluster_url, one_node_cluster

pytestmark = pytest.mark.timeout(180)  # the first test waits for servers and for every process

AT_ONCE = 6  # some only wait
USUAL = {
    "BILLING_STRIPE_API_KEY": SECRET,
    "BILLING_NAMESPACE": "tests",
    "BILLING_GIVE_UP_SECONDS": "0.3",
    "BILLING_HTTP_PORT": "0",
}
KAFKA, REDIS = "BILLING_KAFKA_BOOTSTRAP_SERVERS", "BILLING_REDIS_URL"


class Row(NamedTuple):
    """A process with its arguments, a fault in words, what leads to it, and what the one line must have in it."""

    process: str
    fault: str
    settings: Callable[[Places], Mapping[str, str]]
    told: tuple[str, ...]
    code: int = CANNOT_GO_ON


def fixed(**settings: str) -> Callable[[Places], Mapping[str, str]]:
    """The same wherever the servers are."""
    return lambda _: {f"BILLING_{name}": value for name, value in settings.items()}


SETTINGS = [
    *(
        Row(each, "no number", fixed(PARTITIONS="many"), ("BILLING_PARTITIONS: ",))
        for each in ("aggregator", "stripe_sync", "api")
    ),
    Row("stripe_sync", "no namespace", fixed(NAMESPACE=""), ("BILLING_NAMESPACE",)),
    Row("stripe_sync", "no patience", fixed(GIVE_UP_SECONDS="0"), ("BILLING_GIVE_UP_SECONDS",)),
    Row("stripe_sync", "no URL of Stripe", fixed(STRIPE_API_BASE="stripe"), ("BILLING_STRIPE_API_BASE", "https://")),
    Row("api", "two keys of Stripe", fixed(STRIPE_API_KEY=f"{SECRET} {SECRET}"), ("BILLING_STRIPE_API_KEY",)),
    Row("aggregator", "no address", fixed(KAFKA_BOOTSTRAP_SERVERS="kafka:many"), (KAFKA, "'kafka:many'", "host:port")),
    Row("aggregator", "no user", fixed(KAFKA_SECURITY_PROTOCOL="SASL_SSL"), ("_SASL_USERNAME is not set",)),
    Row("aggregator", "a copy without a prefix", fixed(FOLD_ONLY="1"), ("BILLING_REDIS_PREFIX of its own",)),
    Row("api", "no URL of Redis", fixed(REDIS_URL=f"http://u:{PASSWORD}@x"), (REDIS, "write redis://")),
    Row("api", "no port", fixed(REDIS_URL="redis://x:99999"), (REDIS, "write redis://")),
    Row("api", "no such option", fixed(REDIS_URL="redis://x?socket_timeout=x"), (REDIS, "socket_timeout")),
    Row("api", "no CA", fixed(REDIS_URL="rediss://x?ssl_ca_certs=/no/ca"), (REDIS, "/no/ca can't be read")),
    Row("api", "no address of ours", fixed(HTTP_HOST="192.0.2.1", REDIS_URL="redis://x"), ("192.0.2.1:0",)),
]
OF_KAFKA = [
    *(
        Row(each, "Kafka is away", lambda at: {KAFKA: at.nowhere}, ("nothing listens at", KAFKA))
        for each in ("ops topics", "ops emit --account a --meter sms.send", "aggregator", "stripe_sync")
    ),
    Row("stripe_sync", "nobody's name", fixed(KAFKA_BOOTSTRAP_SERVERS="no.invalid:1"), ("host name no.invalid", KAFKA)),
    *(
        Row(each, "a wrong password", lambda at: at.sasl(at.sasl_kafka), ("refuses the user 'operator'", "_PASSWORD"))
        for each in ("aggregator", "stripe_sync", "ops topics")
    ),
    Row(
        "aggregator",
        "another mechanism",
        lambda at: at.sasl(at.sasl_kafka, mechanism="SCRAM-SHA-256"),
        ("does not offer SCRAM-SHA-256", "BILLING_KAFKA_SASL_MECHANISM"),
    ),
    Row("aggregator", "no login", lambda at: {KAFKA: at.sasl_kafka}, ("PLAINTEXT, it may ask for a login",)),
    Row("aggregator", "a login too many", lambda at: at.sasl(at.kafka), ("asks for no login", "SASL_PLAINTEXT")),
    Row("aggregator", "TLS too many", lambda at: at.ssl(at.kafka), ("does it speak TLS there?", "_SECURITY_PROTOCOL")),
    Row("aggregator", "no TLS", lambda at: {KAFKA: at.tls}, ("BILLING_KAFKA_SECURITY_PROTOCOL is PLAINTEXT",)),
    Row("ops topics", "not trusted", lambda at: at.ssl(at.tls), ("not to be trusted", "BILLING_KAFKA_SSL_CAFILE")),
    Row("aggregator", "no CA file", lambda at: at.ssl(at.tls, "/no/ca"), ("BILLING_KAFKA_SSL_CAFILE: /no/ca can't",)),
    Row("ops topics", "no CA in it", lambda at: at.ssl(at.tls, __file__), ("_SSL_CAFILE", "holds no certificate")),
    Row("stripe_sync", "no topics", lambda at: {KAFKA: at.kafka, "BILLING_TOPIC_PREFIX": "no-"}, ("`billing topics`",)),
]
OF_REDIS = [
    *(
        Row(
            each,
            "Redis is away",
            lambda at: at.servers | {REDIS: f"redis://{at.nowhere}", "BILLING_REDIS_PREFIX": "copy"},
            (REDIS,),
        )
        for each in ("aggregator", "stripe_sync", "stripe_sync --fold-only", "api")
    ),
    *(
        Row(each, "no password", lambda at: at.redis_at(at.guarded), ("asks for a password", REDIS))
        for each in ("aggregator", "stripe_sync", "api")
    ),
    Row("ops verify", "no password", lambda at: at.redis_at(at.guarded), ("asks for a password", REDIS), CANNOT_TELL),
    Row("api", "a wrong password", lambda at: at.redis_at(at.guarded, f"{STATELESS}:x@"), ("password pair", REDIS)),
    Row("api", "no rights", lambda at: at.redis_at(at.guarded, f"{STATELESS}:{PASSWORD}@"), ("info", "security.md")),
    Row("api", "not trusted", lambda at: {REDIS: f"rediss://{at.tls}"}, ("CERTIFICATE_VERIFY_FAILED", "ssl_ca_certs")),
    Row("api", "a cluster", lambda at: at.redis_at(at.cluster), ("is a cluster: write redis+cluster://",)),
    Row("api", "no cluster", lambda at: {REDIS: at.redis.replace("redis:", "redis+cluster:")}, ("write redis://",)),
    Row(
        "api",
        "a cluster's password",
        lambda at: {REDIS: cluster_url(at.guarded)},
        ("asks for a password", REDIS),
    ),
]
OF_STRIPE = [
    Row("stripe_sync", "no key", lambda at: at.servers | {"BILLING_STRIPE_API_KEY": ""}, ("API_KEY is not set",)),
    Row(
        "stripe_sync",
        "Stripe is away",
        lambda at: at.servers | {"BILLING_STRIPE_API_BASE": f"http://{at.nowhere}"},
        ("Stripe has not answered for 0.3 s", "BILLING_STRIPE_API_BASE"),
    ),
    Row(
        "ops stripe setup",
        "Stripe is away",
        lambda at: {"BILLING_STRIPE_API_BASE": f"http://{at.nowhere}"},
        ("Stripe can't be reached", "BILLING_STRIPE_API_BASE"),
    ),
]
TAKEN = [
    Row("api", "its port is taken", lambda at: {"BILLING_HTTP_PORT": port_of(at.kafka)}, ("in use", "_HTTP_PORT")),
    Row(
        "aggregator",
        "its port is taken",
        lambda at: at.servers | {"BILLING_HTTP_PORT": port_of(at.kafka)},
        ("in use", "_HTTP_PORT"),
    ),
    Row("stripe_sync", "its port", lambda at: at.servers | {"BILLING_HTTP_PORT": port_of(at.kafka)}, ("in use",)),
]
FILES = [
    Row("local.stripe --port 0 --state .", "a directory", fixed(), ("can't keep its state", "--state")),
    Row("local.stripe --port 0 --state damaged", "no database", fixed(), ("not a database", "--state")),
    Row("local.stripe --port 0 --set no=1", "no such setting", fixed(), ("--set", "no: ")),
    Row("local.stripe --port 0 --host 192.0.2.1", "no address of ours", fixed(), ("192.0.2.1:0", "--host")),
    Row("ops status --dir broken", "a damaged stack.json", fixed(), ("stack.json can't be read", "billing up")),
    Row("ops status --dir killed", "a stale stack.json", fixed(), ("was killed", "billing up --dir killed")),
    Row("ops status --dir damaged", "a file", fixed(), ("no stack runs in damaged", "billing up")),
    Row("ops up --dir damaged", "a file", fixed(), ("can't be used as a directory", "--dir")),
    Row("ops up --dir kept", "a damaged kept.json", fixed(), ("kept.json can't be read", "--fresh")),
    Row("ops up --dir new", "no partitions", fixed(PARTITIONS="0"), ("BILLING_PARTITIONS is '0'",)),
    Row("ops accounts list", "no stack", fixed(), ("no stack runs here", "billing up", "--dir")),
]
ROWS = [*OF_KAFKA, *OF_REDIS, *OF_STRIPE, *TAKEN, *SETTINGS, *FILES]


def port_of(address: str) -> str:
    """As text."""
    return address.rpartition(":")[2]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with damaged files, where the processes are started."""
    directory = tmp_path_factory.mktemp("damaged")
    for name, file in (("broken", "stack.json"), ("killed", "stack.json"), ("kept", "kept.json")):
        (directory / name).mkdir()
        (directory / name / file).write_text('{"env": {')
    (directory / "killed" / "stack.json").write_text('{"env": {}, "api_keys": {}, "processes": []}')
    (directory / "killed" / "lock").touch()
    (directory / "damaged").write_text("nothing that anybody can read")
    return directory


@pytest.fixture(scope="module")
def places(
    kafka_bootstrap: str, redis_url: str, files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Places]:
    """Every server that the rows need."""
    data, prefix = tmp_path_factory.mktemp("servers"), f"lines-{os.getpid()}-"
    create_topics(KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=prefix))
    with ExitStack() as closing:
        guarded = embedded_redis(data / "guarded")
        closing.callback(guarded.kill)
        guarded.start()
        guard(guarded)
        yield Places(
            kafka=kafka_bootstrap,
            topics=prefix,
            sasl_kafka=closing.enter_context(asking_for_a_login(data / "kafka")),
            redis=redis_url,
            guarded=guarded,
            cluster=closing.enter_context(one_node_cluster(data / "cluster")),
            tls=closing.enter_context(tls_server(certificate(data))),
            files=files,
            nowhere=nowhere(),
        )


@pytest.fixture(scope="module")
def endings(places: Places) -> list[Ended]:
    """How every row ended: they run side by side."""
    asked = [Asked(row.process.split(), usual(row) | dict(row.settings(places))) for row in ROWS]
    return ended_processes(asked, places.files, AT_ONCE)


def usual(row: Row) -> dict[str, str]:
    """What nobody would leave out; for a command it would say which system is meant."""
    return {} if row.process.startswith("ops") and "stripe" not in row.process else USUAL


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{row.process}: {row.fault}" for row in ROWS])
def test_what_is_wrong_is_said_in_one_line(endings: list[Ended], number: int) -> None:
    """Behind the log's own lines, with the setting or the file to look at; the exit code is the documented one."""
    row, done = ROWS[number], endings[number]
    *before, last = done.errors.splitlines()
    assert done.code == row.code, done.errors
    assert all(line.startswith("20") for line in before), done.errors  # the log's lines begin with their time
    assert last.startswith((f"{row.process.split()[0]}: ", "billing: ", "stripe-double: ")), done.errors
    assert all(words in last for words in row.told), last
    assert "\x1b" not in done.errors + done.output
    assert SECRET not in done.errors
    assert PASSWORD not in done.errors


def test_the_table_has_every_process() -> None:
    """Of those that run in a container or under a supervisor, and the commands."""
    assert {row.process.split()[0] for row in ROWS} == {"aggregator", "stripe_sync", "api", "local.stripe", "ops"}
