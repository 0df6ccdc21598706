"""Servers that are away or silent: the status shows a finding within seconds, and the command does not fail."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from local.servers.ports import free_port
from metering.troubles.names import Trouble
from ops.cli import app
from ops.status.system import System, findings
from ops.status.watching import watch
from runtime.settings import KafkaSettings
from runtime.topics import create_topics
from tests.support.eventually import eventually
from tests.support.stack import BILLING

SOON_SECONDS = 15.0  # of a loaded machine; on an idle one some five
CTRL_C_SECONDS = 8.0  # of a loaded machine; less than a command waits for a server


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a frozen server: it accepts connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def env_of(kafka: str, redis: str, **more: str) -> dict[str, str]:
    """The addresses of both servers."""
    return {
        "BILLING_KAFKA_BOOTSTRAP_SERVERS": kafka,
        "BILLING_REDIS_URL": redis,
        "BILLING_PARTITIONS": "2",
        "COLUMNS": "80",
        **more,
    }


def status(env: dict[str, str]) -> dict[str, Any]:
    """The status as JSON; it must come in time, and something always needs a person here."""
    since = time.monotonic()
    done = CliRunner().invoke(app, ["status", "--json"], env=env)
    assert time.monotonic() - since < SOON_SECONDS
    assert done.exit_code == 1, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def named(told: dict[str, Any]) -> set[str]:
    """The troubles."""
    return {each["trouble"] for each in told["findings"]}


def test_without_kafka_what_redis_tells_is_shown(redis_url: str, redis_prefix: str) -> None:
    """The shards are not called slow for it."""
    told = status(env_of(f"127.0.0.1:{free_port()}", redis_url, BILLING_REDIS_PREFIX=redis_prefix))

    assert named(told) == {Trouble.KAFKA_AWAY}
    assert [each["phase"] for each in told["shards"]] == ["empty", "empty"]


def test_without_redis_what_kafka_tells_is_shown(kafka_bootstrap: str, topic_prefix: str) -> None:
    """The dead letters are shown; there are none."""
    create_topics(KafkaSettings(kafka_bootstrap_servers=kafka_bootstrap, topic_prefix=topic_prefix, partitions=2))

    told = status(env_of(kafka_bootstrap, f"redis://127.0.0.1:{free_port()}/0", BILLING_TOPIC_PREFIX=topic_prefix))

    assert named(told) == {Trouble.REDIS_AWAY}
    assert (told["shards"], told["dead_letters"]) == ([], {})


def test_a_topic_that_is_missing_is_told(kafka_bootstrap: str, redis_url: str, redis_prefix: str) -> None:
    """The finding names the topic, and says what to do."""
    told = status(
        env_of(kafka_bootstrap, redis_url, BILLING_REDIS_PREFIX=redis_prefix, BILLING_TOPIC_PREFIX="nobody-has-")
    )

    assert {Trouble.NOT_SEEN} < named(told)
    said = [detail for each in told["findings"] for detail in each["details"]]
    assert any("has no topic nobody-has-usage.events: run `billing topics`" in each for each in said)


def test_servers_that_say_nothing_hold_nobody_up(silent: str) -> None:
    """Both servers are silent at once."""
    assert named(status(env_of(silent, f"redis://{silent}/0"))) == {Trouble.KAFKA_AWAY, Trouble.REDIS_AWAY}


def test_a_shard_that_is_not_there_ends_the_command() -> None:
    """The error says what to do: this is the caller's mistake, even if servers are away."""
    env = env_of(f"127.0.0.1:{free_port()}", f"redis://127.0.0.1:{free_port()}/0")

    done = CliRunner().invoke(app, ["status", "--watch", "--shard", "7"], env=env)

    assert done.exit_code == 1
    assert "there is no shard 7: shards are 0 to 1" in done.stderr


def test_a_watch_survives_all_of_it_until_ctrl_c(tmp_path: Path) -> None:
    """Ctrl-C ends it at once with 0: it does not wait for the servers."""
    shown = tmp_path / "shown"
    env = os.environ | env_of(f"127.0.0.1:{free_port()}", f"redis://127.0.0.1:{free_port()}/0")
    with shown.open("w") as output:
        process = subprocess.Popen(
            [*BILLING, "status", "--watch", "--every", "0.2"], stdout=output, stderr=subprocess.STDOUT, env=env
        )
    try:
        eventually(lambda: shown.read_text().count("this needs a person: 2 stop something") >= 2, 60)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(CTRL_C_SECONDS) == 0, shown.read_text()
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in shown.read_text()


def test_a_look_that_fails_is_shown_as_what_can_not_be_read() -> None:
    """And the next one follows, until Ctrl-C."""
    looks: list[System | BaseException] = [System(1), ZeroDivisionError("a defect"), System(3), KeyboardInterrupt()]
    shown = list[System]()

    def look() -> System:
        found = looks.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found

    watch(look, 0.0, shown.append, None)

    assert [[str(each) for each in findings(seen)] for seen in shown] == [
        [],
        ["the system can't be read: ZeroDivisionError: a defect"],
        [],
    ]
