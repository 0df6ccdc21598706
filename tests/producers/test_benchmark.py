"""The producers' benchmark: that each way of publishing runs, and how the figures are read."""

from pathlib import Path

import pytest

from bench.producers.publish import WARM, run
from bench.producers.results import ProducerResults
from bench.producers.task import BARE_C, BARE_PYTHON, EMIT_C, EMIT_PYTHON, PUBLISHERS, PublishOutcome, PublishTask
from tests.producers.conftest import UsageTopic


@pytest.mark.parametrize("publisher", PUBLISHERS)
def test_everything_is_published(usage_topic: UsageTopic, tmp_path: Path, publisher: str) -> None:
    """And measured, in each of the four ways."""
    task = PublishTask(publisher, usage_topic.bootstrap, usage_topic.prefix, str(tmp_path), 200, 2000, seed=1)

    outcome = run(task)

    assert len(usage_topic.records(WARM + 200)) == WARM + 200
    assert outcome.events == 200
    assert min(outcome.seconds, outcome.cpu_us, outcome.median_us) > 0
    assert outcome.p99_us >= outcome.median_us


@pytest.mark.parametrize(("emit_seconds", "met"), [((1.3, 2.6), True), ((1.31, 2.7), False)])
def test_ratios_are_taken_turn_by_turn(emit_seconds: tuple[float, ...], met: bool) -> None:
    """A machine that was twice as slow in the second turn was so for both."""
    bare = [PublishOutcome(10, 1.0, cpu, 0, 0) for cpu in (1.0, 2.0)]
    fast = dict.fromkeys((BARE_PYTHON, BARE_C, EMIT_C), bare)
    fast[EMIT_PYTHON] = [PublishOutcome(10, 1.0, cpu, 0, 0) for cpu in emit_seconds]
    steady = {name: [PublishOutcome(10, 1.0, 1.0, 39.0, 1000.0)] for name in PUBLISHERS}

    judged = [target.met for target in ProducerResults(fast, steady).targets()]

    assert judged == [met, True, False, True, False, False]
