"""`billing replay` on a running platform: its forecast is right, and nothing is counted twice."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from metering.partition import partition_of
from metering.rfc3339 import from_unix
from ops.replay.plan import plan_files
from ops.replay.progress import Progress, load_progress, save_progress
from tests.ops.replay_house import DAY, PARTITIONS, ReplayHouse, event, write_lines
from tests.support.eventually import eventually

Started = Callable[..., "subprocess.Popen[str]"]
MANY = 3_000  # events: a quarter of a minute at 200 a second, so that no replay has ended when it is to be ended


@pytest.fixture
def start_billing(house: ReplayHouse) -> Started:
    """Starts the command as its own process."""

    def start(*arguments: str | Path) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "ops", *map(str, arguments)]
        return subprocess.Popen(
            argv, env=house.process_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def test_what_the_dry_run_foretells_then_happens(house: ReplayHouse, tmp_path: Path) -> None:
    """New events, duplicates, repetitions within the file, rejects by reason; a second replay has only duplicates."""
    account, other = house.new_account(), house.new_account()
    house.publish(event(account, "known"), event(other, "known", source=f"/test/{account}"))
    now = int(time.time())
    events = [
        event(account, "known"),
        *(event(account, f"new-{number}", data={"quantity": 3}) for number in range(20)),
        event(account, "new-0", data={"quantity": 3}),
        event(account, "call", type="voice.ai", time=from_unix(now - 33 * DAY)),
        event(other, "one"),
        event(other, "known", source=f"/test/{account}"),
        event(account, "old-1", time=from_unix(now - 35 * DAY)),
        event(account, "old-2", time=from_unix(now - 36 * DAY)),
        event(account, "fax", type="fax.send"),
        "not json",
        "",
    ]
    file = write_lines(tmp_path / "events.jsonl", events)
    before = {name: house.totals(name) for name in (account, other)}

    foretold = house.json("replay", "--file", file, "--dry-run")
    sent = house.json("replay", "--file", file, "--progress", tmp_path / "progress")

    lines = {(each["account"], each["meter"]): each for each in foretold["lines"]}
    sms = lines[account, "sms.send"]
    assert (sms["new"], sms["units"], sms["duplicates"]) == (20, 60, 2)
    assert (foretold["new"], foretold["duplicates"]) == (22, 3)
    assert foretold["rejected"] == {"time_too_old": 2, "unknown_meter": 1, "invalid_json": 1}
    assert sent == {"finished": True, "sent": 25, "rejected": foretold["rejected"]}
    for name in (account, other):
        grown = Counter(house.totals(name)) - Counter(before[name])
        assert grown == {meter: each["units"] for (who, meter), each in lines.items() if who == name}

    again = house.json("replay", "--file", file, "--dry-run")
    after = {name: house.totals(name) for name in (account, other)}
    house.done("replay", "--file", file, "--progress", tmp_path / "progress")
    assert (again["new"], again["duplicates"]) == (0, 25)
    assert {name: house.totals(name) for name in (account, other)} == after


def test_a_replay_of_the_usage_log_changes_nothing(house: ReplayHouse, tmp_path: Path) -> None:
    """Copies are on the account's partition and name their originals; the replay ends before its own copies."""
    account = house.new_account()
    values = [event(account, f"event-{number}") for number in range(50)]
    house.publish(*values)
    before, partition = house.totals(account), partition_of(account, PARTITIONS)
    first = house.records(account)[0][1].offset

    foretold = house.json("replay", "--account", account, "--dry-run")
    sent = house.json("replay", "--account", account, "--progress", tmp_path / "progress")

    assert (foretold["new"], foretold["duplicates"]) == (0, 50)
    assert sent["sent"] == 50
    assert house.totals(account) == before == {"sms.send": 50}
    copies = [(where, each) for where, each in house.records(account) if dict(each.headers).get("replay.of")]
    assert {where for where, _ in copies} == {partition}
    origins = [dict(each.headers)["replay.of"].decode() for _, each in copies]
    assert origins[0] == f"{house.names.usage}/{partition}/{first}"
    assert [each.value for _, each in copies] == [json.dumps(value).encode() for value in values]


def test_offsets_and_times_choose_a_stretch(house: ReplayHouse, tmp_path: Path) -> None:
    """Offsets exclude their end; a stretch of the future is empty."""
    account = house.new_account()
    house.publish(*(event(account, f"event-{number}") for number in range(10)))
    partition = partition_of(account, PARTITIONS)
    offsets = [record.offset for _, record in house.records(account)]
    stretch = ["--partition", str(partition), "--account", account, "--progress", tmp_path / "progress"]

    some = house.json("replay", *stretch, "--offsets", f"{offsets[2]}:{offsets[5]}")
    none = house.json("replay", *stretch, "--from", from_unix(int(time.time()) + 60))
    since = house.json("replay", *stretch, "--from", from_unix(int(time.time()) - 3600))

    assert (some["sent"], none["sent"], since["sent"]) == (3, 0, 13)
    assert house.totals(account) == {"sms.send": 10}


def test_another_topic_and_a_spool_can_be_replayed(house: ReplayHouse, tmp_path: Path) -> None:
    """A directory's files are read by name; in a line of a producer's spool, the event is the value."""
    account = house.new_account()
    directory = tmp_path / "spool"
    directory.mkdir()
    spooled = {"key": account, "value": json.dumps(event(account, "spooled"))}
    write_lines(directory / "1.jsonl", [spooled])
    write_lines(directory / "2.jsonl", [event(account, "plain")])
    write_lines(directory / "ignored.txt", ["nothing"])

    house.done("replay", "--file", directory, "--progress", tmp_path / "progress")

    assert house.totals(account) == {"sms.send": 2}
    headers = [dict(record.headers)["replay.of"].decode() for _, record in house.records(account)]
    assert headers == [f"{directory / '1.jsonl'}:1", f"{directory / '2.jsonl'}:1"]


def test_rejects_become_dead_letters_on_demand(house: ReplayHouse, tmp_path: Path) -> None:
    """There they can be mended and redriven."""
    account = house.new_account()
    file = write_lines(tmp_path / "events.jsonl", [event(account, "fax", type="fax.send"), event(account, "sms")])

    sent = house.json("replay", "--file", file, "--send-rejected", "--progress", tmp_path / "progress")

    assert sent["sent"] == 2
    [letter] = house.letters(account, 1)
    assert (letter.reason, letter.account) == ("unknown_meter", account)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_replay_that_was_ended_goes_on(
    house: ReplayHouse, tmp_path: Path, start_billing: Started, ending: signal.Signals
) -> None:
    """Killed, or stopped by Ctrl-C, which shows the command to continue: in the end all is counted once."""
    account = house.new_account()
    events = [event(account, f"event-{number}") for number in range(MANY)]
    file = write_lines(tmp_path / "events.jsonl", events)
    progress = tmp_path / "progress"
    process = start_billing("replay", "--file", file, "--rate", "200", "--progress", progress)
    eventually(lambda: progress.exists() and load_progress(progress).sent >= 40, 30.0, "some progress")

    os.kill(process.pid, ending)
    out, err = process.communicate(timeout=20)

    stood = load_progress(progress)
    assert 40 <= stood.sent == stood.parts[0].next < MANY
    if ending is signal.SIGINT:
        assert process.returncode == 130
        assert "so far" in out
        assert f"billing replay --resume --progress {progress}" in err
    refused = house.billing("replay", "--file", file, "--progress", progress)
    assert refused.exit_code == 1
    assert "has not ended" in refused.stderr
    resumed = house.json("replay", "--resume", "--progress", progress)
    assert resumed == {"finished": True, "sent": MANY, "rejected": {}}
    assert not progress.exists()
    assert house.totals(account) == {"sms.send": MANY}


def test_a_changed_file_is_not_resumed(house: ReplayHouse, tmp_path: Path) -> None:
    """Its lines may differ from those that were sent. A replay on another Kafka is not resumed either."""
    account, path = house.new_account(), tmp_path / "progress"
    file = write_lines(tmp_path / "events.jsonl", [event(account, "1"), event(account, "2")])
    progress = Progress(servers=house.settings.kafka_bootstrap_servers, parts=[*plan_files(file)])
    progress.parts[0].next = 1

    save_progress(path, progress.model_copy(update={"servers": "kafka.example:9092"}))
    elsewhere = house.billing("replay", "--resume", "--progress", path)
    save_progress(path, progress)
    write_lines(file, [event(account, "another")])
    changed = house.billing("replay", "--resume", "--progress", path)

    assert (elsewhere.exit_code, changed.exit_code) == (1, 1)
    assert "begun on Kafka at kafka.example:9092" in elsewhere.stderr
    assert "has changed" in changed.stderr
    assert house.totals(account) == {}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say which events"),
        (["--topic", "{prefix}usage.events.dlq"], "billing dlq redrive"),
        (["--topic", "{prefix}stripe.pushes"], "does not hold usage events"),
        (["--topic", "{prefix}nowhere"], "no topic"),
        (["--offsets", "1:2"], "--partition"),
        (["--offsets", "two", "--partition", "0"], "write A:B"),
        (["--offsets", "9999999:", "--partition", "0"], "ends at offset"),
        (["--partition", "99"], "no partition 99"),
        (["--from", "yesterday"], "RFC 3339"),
        (["--file", "/nowhere/at/all"], "does not exist"),
        (["--file", "/nowhere/at/all", "--partition", "0"], "not both"),
        (["--resume"], "no replay to resume"),
        (["--account", "no such account!"], "not an account id"),
    ],
)
def test_what_can_not_be_replayed_is_said(house: ReplayHouse, tmp_path: Path, arguments: list[str], said: str) -> None:
    """The error comes before anything is sent."""
    filled = [each.replace("{prefix}", house.settings.topic_prefix) for each in arguments]

    result = house.billing("replay", *filled, "--progress", tmp_path / "progress")

    assert result.exit_code == 1
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []
