"""The monthly job: every number that was held in a month is charged once, however often the job is run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telephony_billing_producers import NumberService
from telephony_billing_producers._monthly.holdings import Holding, HoldingFault, fee_time, read_holdings
from telephony_billing_producers._monthly.job import MonthError, Report, charge, check_month
from telephony_billing_producers.testing import FakeEmitter
from tests.producers.conftest import NOWHERE, UsageTopic, spooled

MONTH = date(2026, 12, 1)
THIS_MONTH = datetime.now(UTC).date().replace(day=1)
Command = Callable[..., subprocess.CompletedProcess[str]]


def at(day: int, month: int = 12) -> datetime:
    """A moment of 2026."""
    return datetime(2026, month, day, tzinfo=UTC)


@pytest.mark.parametrize(
    ("since", "until", "now", "time"),
    [
        (None, None, at(3), at(1)),
        (at(5, 1), None, at(3), at(1)),  # long held
        (at(10), None, at(20), at(10)),  # bought in mid-month: from then on
        (at(10), None, at(3), None),  # not bought yet
        (datetime(2027, 1, 1, tzinfo=UTC), None, at(20), None),  # bought in the next month
        (None, at(10), at(20), at(1)),  # released in mid-month
        (None, at(30, 11), at(20), None),  # released before
        (at(10), at(12), at(20), at(10)),  # held for two days
        (at(12), at(10), at(20), None),  # never held
    ],
)
def test_a_number_is_charged_for_a_month_in_which_it_was_held(
    since: datetime | None, until: datetime | None, now: datetime, time: datetime | None
) -> None:
    """The whole fee, from the month's first second or from when it was bought."""
    assert fee_time(Holding(1, "acme", "+12065550100", since, until), MONTH, now) == time


def test_december_ends_with_the_year() -> None:
    """And the next month is January."""
    assert fee_time(Holding(1, "a", "+1", at(31)), MONTH, at(31)) == at(31)
    january = date(2027, 1, 1)
    assert fee_time(Holding(1, "a", "+1", at(31)), january, at(31) + timedelta(days=1)) == at(31) + timedelta(days=1)


HEADED = "account,number,since\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("account,number\nacme,+12065550100\n", [Holding(2, "acme", "+12065550100")]),
        ("\ufeffNumber, Account ,note\n+1206,acme,x\n\n", [Holding(2, "acme", "+1206")]),
        (HEADED + "acme,+1206,2026-12-10\n", [Holding(2, "acme", "+1206", at(10))]),
        (HEADED + "acme,+1206,2026-12-10T02:00:00+02:00\n", [Holding(2, "acme", "+1206", at(10))]),
        ('{"account":"acme","number":"+1206","until":"2026-12-10"}\n', [Holding(1, "acme", "+1206", None, at(10))]),
        ("", []),
        ("acme,+1206\n", [HoldingFault(1, "the first line is no header with account and number, and no JSON")]),
        (HEADED + "acme,+1206\n", [HoldingFault(2, "2 fields; the header has 3")]),
        (HEADED + ",+1206,\nacme,+1206,\n", [HoldingFault(2, "account is missing"), Holding(3, "acme", "+1206")]),
        (HEADED + "a,+1206,soon\n", [HoldingFault(2, "since 'soon' is no date such as 2026-12-10, and no time")]),
        ('{"account":"acme"}\n[]\n', [HoldingFault(1, "number is missing"), HoldingFault(2, "no object of JSON")]),
    ],
)
def test_lines_are_read_or_named(text: str, expected: list[Holding | HoldingFault]) -> None:
    """CSV with a header, or JSON lines."""
    assert list(read_holdings(text.splitlines(keepends=True))) == expected


@pytest.mark.parametrize(
    ("now", "says"),
    [(at(30, 11), "run it then"), (at(1) + timedelta(days=34, seconds=1), "charge what is missing in Stripe")],
)
def test_a_month_can_not_be_charged_at_every_time(now: datetime, says: str) -> None:
    """Not before it begins, and not when the platform may have forgotten the counted fees."""
    with pytest.raises(MonthError, match=says):
        check_month(MONTH, now)
    for allowed in (at(1), at(1) + timedelta(days=34)):
        check_month(MONTH, allowed)


RUNS = st.lists(st.integers(0, 34 * 86_400), min_size=1, max_size=4)
NUMBERS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(100, 105), st.integers(1, 31)), max_size=12)


@given(RUNS, NUMBERS)
def test_many_runs_charge_each_number_once(runs: list[int], numbers: list[tuple[str, int, int]]) -> None:
    """At any times within 34 days, with any lines repeated: one fee for an account and number that were held."""
    now = [at(1)]
    fake = FakeEmitter(clock=lambda: datetime.timestamp(now[0]))
    lines = [Holding(1, account, f"+1206555{number:04}", at(day)) for account, number, day in numbers]
    for seconds in sorted(runs):
        now[0] = at(1) + timedelta(seconds=seconds)
        report = Report()
        charge(lines, MONTH, NumberService(fake), report=report, progress=lambda _: None, clock=lambda: now[0])
        assert not report.faults

    held = {(account, number) for account, number, day in numbers if at(day) <= now[0]}
    for account in "ab":
        assert fake.total(account, "did.monthly") == sum(1 for holder, _ in held if holder == account)


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Runs the command on a file's text."""

    def run(text: str, *arguments: str, kafka: str = NOWHERE) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"USAGE_KAFKA": kafka, "USAGE_SPOOL": str(tmp_path / "spool")}
        line = [sys.executable, "-m", "telephony_billing_producers", "monthly", "--month", f"{THIS_MONTH:%Y-%m}"]
        return subprocess.run(
            [*line, *arguments], input=text, env=environment, capture_output=True, text=True, timeout=90, check=False
        )

    return run


FILE = "account,number\n" + "".join(f"acct_{number},+1206555{number:04}\n" for number in range(100, 120))


def test_the_command_charges_and_may_be_run_again(command: Command, usage_topic: UsageTopic) -> None:
    """The second run publishes the same identities and times."""
    for _ in range(2):
        done = command(FILE, "--topic-prefix", usage_topic.prefix, kafka=usage_topic.bootstrap)
        assert done.returncode == 0, done.stderr
        assert "20 charged, 0 not held, 0 with faults" in done.stdout

    events = [json.loads(record.value) for record in usage_topic.records(40)]
    assert len({(event["source"], event["id"], event["type"], event["subject"]) for event in events}) == 20
    assert {event["time"] for event in events} == {f"{THIS_MONTH}T00:00:00.000Z"}


def test_a_dry_run_sends_nothing(command: Command, tmp_path: Path) -> None:
    """It names the lines with faults by their numbers."""
    done = command(FILE + "two words,+12065550100\nacme,not a number\n", "--dry-run")

    assert done.returncode == 1
    assert "20 would be charged, 0 not held, 2 with faults" in done.stdout
    assert "line 22: account 'two words'" in done.stderr
    assert "line 23: number 'not a number' is not in E.164" in done.stderr
    assert not (tmp_path / "spool").exists()


def test_lines_with_faults_stop_no_other(command: Command, tmp_path: Path) -> None:
    """The rest is charged, here to the spool; the status says that it is not done."""
    done = command("account,number\n,+1206\nacme,+12065550100\n", "--source", "/n", "--wait", "0.1")

    assert done.returncode == 1
    assert "line 2: account is missing" in done.stderr
    assert "sent by the next run" in done.stderr
    (record,) = spooled(tmp_path / "spool")
    assert json.loads(record.value)["source"] == "/n"


def test_it_goes_on_from_a_line(command: Command) -> None:
    """After it was stopped."""
    done = command(FILE, "--dry-run", "--start-line", "20")

    assert "2 would be charged" in done.stdout


def test_what_is_missing_is_said(command: Command) -> None:
    """In words, with a status of its own."""
    unset = command(FILE, "--kafka", "")
    gone = command("", "no-such-file.csv", "--dry-run")
    early = command("", "--month", f"{datetime.now(UTC).year + 1}-01")

    assert (unset.returncode, gone.returncode, early.returncode) == (1, 1, 2)
    assert "--kafka must be given" in unset.stderr
    assert "no-such-file.csv" in gone.stderr
    assert "run it then" in early.stderr


def test_a_run_that_is_terminated_says_nothing_wrong(tmp_path: Path) -> None:
    """SIGTERM during the wait for lines: the exit status is the shells' one, and charged fees are kept."""
    line = [sys.executable, "-m", "telephony_billing_producers", "monthly", "--month", f"{THIS_MONTH:%Y-%m}"]
    options = ["--kafka", NOWHERE, "--spool", str(tmp_path / "spool")]
    with subprocess.Popen([*line, *options], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdin is not None
        assert job.stderr is not None
        job.stderr.readline()  # Kafka is away: the emitter is made
        job.send_signal(signal.SIGTERM)
        assert job.wait(30) == 128 + signal.SIGTERM
