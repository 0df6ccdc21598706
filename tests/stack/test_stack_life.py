"""A stack with its demo, from one start to the next, however it ended."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from local.demo.accounts import ANCHORS, DOCS_ACCOUNT
from local.demo.usage import DOCUMENTED
from metering.meters import CATALOGUE
from tests.stack.booting import RunningStack, running
from tests.support.eventually import eventually
from tests.support.midnight import clear_of_midnight

TEST_SECONDS = 150.0
DOCUMENTED_ANSWER = {
    "usage": [
        {"meter": meter.name, "displayName": meter.display_name, "total": DOCUMENTED[meter.name]} for meter in CATALOGUE
    ],
    "message": "Usage for current billing period",
}


def live_units(stack: RunningStack) -> int:
    """Units of the accounts that live traffic goes to."""
    keys = stack.described["api_keys"]
    answers = [stack.usage(key) for account, key in keys.items() if account != DOCS_ACCOUNT]
    assert all(answer.status == 200 for answer in answers)
    return sum(sum(answer.totals().values()) for answer in answers)


@pytest.mark.timeout(600)
def test_a_stack_goes_on_from_where_it_was(tmp_path: Path) -> None:
    """Ctrl-C ends every process; the next start has the same addresses, keys and totals; kill -9 leaves nothing."""
    clear_of_midnight(TEST_SECONDS)  # totals begin anew with a period
    with running(tmp_path / "stack", "--aggregators", "2") as first:
        described = first.described
        assert list(described["api_keys"]) == list(ANCHORS)
        assert {"demo", "aggregator-1", "aggregator-2"} <= set(first.pids())
        docs_key = described["api_keys"][DOCS_ACCOUNT]
        assert docs_key in first.output
        assert json.loads(first.usage(docs_key).body) == DOCUMENTED_ANSWER
        before = live_units(first)
        eventually(lambda: live_units(first) > before, 30, "live traffic")
        before = live_units(first)
        children = first.children()
        assert {child.pid for child in children} >= set(first.pids().values())

        assert first.stop(signal.SIGINT) == 0

        assert [child for child in children if child.is_running()] == []
        assert not (first.directory / "stack.json").exists()

    with running(tmp_path / "stack") as second:
        assert second.env == described["env"]
        assert second.described["api_keys"] == described["api_keys"]
        assert json.loads(second.usage(docs_key).body) == DOCUMENTED_ANSWER
        assert live_units(second) >= before
        orphans = [psutil.Process(pid) for pid in second.pids().values()]

        second.stop(signal.SIGKILL)

        eventually(lambda: not any(orphan.is_running() for orphan in orphans), what="the children's end")
