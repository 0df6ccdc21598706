"""The API's benchmark: that it runs, and how it reads its figures."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.api.generate import LoadResult, summary
from bench.api.measuring import Turn
from bench.api.results import ApiResults
from bench.api.serving import Used


@pytest.mark.timeout(60)
def test_it_runs(tmp_path: Path) -> None:
    """Tiny: every account is asked for, everything is measured and written."""
    sizes = ["--accounts", "20", "--seconds", "0.3", "--turns", "1", "--connections", "4"]
    subprocess.run([sys.executable, "-m", "bench.api", *sizes, "--directory", tmp_path], check=True)

    (path,) = tmp_path.glob("api-*.json")
    found = json.loads(path.read_text())
    assert found["first"]["measured"]["answers"] == 20
    assert found["alone"]["used"]["scripts"] == 2 * found["alone"]["measured"]["answers"]
    assert found["rates"]["usage"]["median"] > 0
    assert found["rates"]["constant"]["median"] > 0


def test_a_latency_counts_from_the_moment_at_which_the_request_was_due() -> None:
    """A server that stood still for a second is charged for those who waited meanwhile, sent or not."""
    measured = summary([(0.0, 0.0, 1.0), (0.5, 1.0, 1.25)], cpu=0.5)

    assert (measured.max_ms, measured.late_ms, measured.answers) == (1000, 500, 2)
    assert measured.seconds == 1.25
    assert measured.core_share == 0.4


@pytest.mark.parametrize(("trips", "met"), [(200, True), (201, False)])
def test_trips_are_those_of_one_request_at_a_time(trips: int, met: bool) -> None:
    """Many at once share their trips, which says nothing of how many one needs."""
    turn = Turn(LoadResult(100, 1.0, 1.0, 5.0, 9.0, 0.1, 0.1), Used(0.1, 0.1, 200, trips))
    many = Turn(turn.measured, Used(0.1, 0.1, 200, 10))

    results = ApiResults(10, many, turn, {"usage": [many], "constant": [many]}, {"usage": many})

    judged = {target.text: target.met for target in results.targets()}
    assert judged == {
        "at least 50 % of an endpoint that returns a constant": True,
        "p99 under 10 ms at half of the most": True,
        "at most 2 trips to Redis": met,
    }
