"""The producers as other services install them: their own wheel, without name clashes."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import telephony_billing_producers
from tests.producers.conftest import NOWHERE, UsageTopic
from tests.producers.host import PRODUCERS, ROOT, Host, build_wheel, make_host, readme_example

ADDRESS = 'bootstrap_servers="127.0.0.1:9092"'
PYRIGHT = ROOT / ".local" / "pyright"
MOST_PACKAGES = 5
MOST_LINES = 12


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The producers' wheel."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Host:
    """A service that has installed it."""
    return make_host(tmp_path_factory.mktemp("host"), wheel)


def example(tmp_path: Path, bootstrap: str, prefix: str = "") -> str:
    """The README's example, at an address and with a spool of the test's."""
    text = readme_example()
    assert ADDRESS in text
    text = text.replace(ADDRESS, f'bootstrap_servers="{bootstrap}", topic_prefix="{prefix}", connect_timeout_seconds=5')
    return text.replace("usage-spool", str(tmp_path / "spool"))


def test_the_wheel_holds_one_package(wheel: Path) -> None:
    """With its mark for type checkers, and nothing beside it."""
    with ZipFile(wheel) as content:
        names = content.namelist()

    assert {name.partition("/")[0] for name in names if ".dist-info" not in name} == {"telephony_billing_producers"}
    assert "telephony_billing_producers/py.typed" in names


def test_few_packages_are_installed(host: Host) -> None:
    """Only the Kafka client, the metrics, and their requirements."""
    found = host.packages()

    assert "telephony-billing-producers" in found
    assert len(found) <= MOST_PACKAGES, found


def test_a_hosts_own_packages_stay_its_own(host: Host) -> None:
    """Whatever they are called."""
    done = host.run(
        "import api, metering, producers, runtime\n"
        "import telephony_billing_producers\n"
        "print(api.MINE, metering.MINE, producers.MINE, runtime.MINE)\n"
    )

    assert (done.stdout, done.stderr) == ("True True True True\n", "")


def test_every_room_but_the_reference_services_needs_nothing_else(host: Host) -> None:
    """Carriers' rules, fakes and the monthly job come without an extra."""
    done = host.run(
        "from telephony_billing_producers import telephony, testing\n"
        "from telephony_billing_producers.__main__ import main\n"
        "import sys\n"
        "sys.argv[1:] = ['monthly', '--help']\n"
        "main()\n"
    )

    assert done.returncode == 0, done.stderr
    assert "charged once" in " ".join(done.stdout.split())


def test_the_example_says_that_the_disk_has_the_event(host: Host, tmp_path: Path) -> None:
    """While Kafka is away, the example prints that the event is on disk."""
    text = example(tmp_path, NOWHERE).replace("connect_timeout_seconds=5", "connect_timeout_seconds=0.2")

    assert host.run(text).stdout == "spooled\n"


def test_the_example_says_that_kafka_has_the_event(host: Host, usage_topic: UsageTopic, tmp_path: Path) -> None:
    """And it has."""
    done = host.run(example(tmp_path, usage_topic.bootstrap, usage_topic.prefix))

    assert done.stdout == "acknowledged\n"
    (record,) = usage_topic.records(1)
    assert json.loads(record.value)["subject"] == "acct_1"


def test_every_example_is_python_of_public_names() -> None:
    """Examples parse, and import no private name."""
    blocks = re.findall(r"```python.*?\n(.+?)```", (PRODUCERS / "README.md").read_text(), re.DOTALL)

    assert len(blocks) >= 4
    for block in blocks:
        imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
        for node in imported:
            if node.module == "telephony_billing_producers":
                assert {each.name for each in node.names} <= set(telephony_billing_producers.__all__)


def test_the_example_is_short() -> None:
    """A newcomer reads it first."""
    assert len(readme_example().strip().splitlines()) <= MOST_LINES


def test_mypy_takes_the_example(host: Host) -> None:
    """In its strict mode, from the installed wheel."""
    (host.directory / "example.py").write_text(readme_example())

    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(host.python), "example.py"],
        cwd=host.directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["Success: no issues found in 1 source file"])


def test_pyright_takes_the_example(host: Host) -> None:
    """In its strict mode, from the installed wheel."""
    pyright = _pyright()
    (host.directory / "example.py").write_text("# pyright: strict\n" + readme_example())

    done = subprocess.run(
        ["node", str(pyright), "--pythonpath", str(host.python), "example.py"],
        cwd=host.directory,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def _pyright() -> Path:
    """Pyright's entry, brought once by npm; skips where it can't be had."""
    entry = PYRIGHT / "node_modules" / "pyright" / "index.js"
    if not entry.exists():
        if shutil.which("node") is None or shutil.which("npm") is None:
            pytest.skip("pyright needs node and npm")
        PYRIGHT.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--prefix", str(PYRIGHT), "--ignore-scripts", "--no-audit", "--no-fund", "pyright"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=90)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"pyright can't be had from npm: {str(error.stderr)[-300:]}")
    return entry
