"""All entries of the list are provoked: by a case here, or by a test that is named."""

from pathlib import Path

import pytest

from metering.alarms import Distances, Standing, alarms
from metering.troubles.names import Trouble
from tests.ops.status.test_shard_findings import CASES
from tests.ops.status.test_system import SERVICES, troubles

TESTS = Path(__file__).parents[2]
OVERDUE = Standing(cutoff=0, oldest=0, in_flight_since=0.0, parked_since=0.0, disputed=1, missing=1, skew=90.0)
FROM_TABLES = {
    *(trouble for _, expected in CASES for trouble in expected),
    *(trouble for seen, _ in SERVICES for trouble in troubles(seen)),
    *(each.trouble for each in alarms(0, OVERDUE, 10.0**9, Distances())),
}
ELSEWHERE = {
    Trouble.KAFKA_AWAY: ("ops/status/test_away.py", "test_servers_that_say_nothing_hold_nobody_up"),
    Trouble.REDIS_AWAY: ("ops/status/test_away.py", "test_servers_that_say_nothing_hold_nobody_up"),
    Trouble.NOT_SEEN: ("ops/status/test_away.py", "test_a_topic_that_is_missing_is_told"),
    Trouble.ORDER_INVALID: ("ops/status/test_system.py", "test_records_among_the_orders_that_are_none_are_told"),
    Trouble.DEAD_LETTERS_GROW: ("ops/status/test_system.py", "test_dead_letters_grow_while_young_records_become_some"),
    Trouble.DEAD_LETTERS_OPEN: ("ops/status/test_system.py", "test_dead_letters_grow_while_young_records_become_some"),
    Trouble.DEAD_LETTERS_UNREADABLE: ("ops/status/test_system.py", "test_letters_that_can_not_be_read_are_told"),
    Trouble.SOURCE_REJECTED: ("aggregator/test_metrics.py", "test_a_source_that_is_mostly_rejected_is_a_trouble"),
    Trouble.STRIPE_WORKER_ENDED: ("stripe_sync/test_troubles.py", "test_what_ends_the_process_is_said_in_every_shard"),
    Trouble.CLOCK_OFF: (
        "stripe_sync/stripe_api/test_stripe_time.py",
        "test_nothing_is_planned_or_sent_while_the_clock_is_off",
    ),
    Trouble.PUSH_LOG_HELD: (
        "stripe_sync/push_log/test_folder.py",
        "test_an_open_transaction_holds_the_shard_up_and_its_freshness",
    ),
    Trouble.METER_ABSENT: (
        "stripe_sync/sending/test_meter_gate.py",
        "test_rows_of_an_archived_meter_wait_until_it_is_back",
    ),
    Trouble.UNITS_HIGH: ("stripe_sync/shard/test_breaches.py", "test_the_planner_tells_and_plans_all_the_same"),
    Trouble.UNPLANNABLE: ("stripe_sync/test_troubles.py", "test_a_bucket_that_can_not_be_planned_is_told_of"),
    Trouble.UNSENDABLE: ("stripe_sync/test_troubles.py", "test_a_row_whose_sending_meets_a_defect_stays_in_flight"),
    Trouble.CALLS_FAIL: ("stripe_sync/process/test_call_watch.py", "test_each_kind_is_told"),
    Trouble.NOT_INVOICED: ("stripe_sync/reconcile/test_coverage.py", "test_it_is_said_until_it_is_mended"),
    Trouble.SUBSCRIPTIONS_UNREAD: ("stripe_sync/reconcile/test_coverage.py", "test_the_last_word_on_a_shard_is_kept"),
    Trouble.COMPARISON_FAILED: ("stripe_sync/reconcile/test_coverage.py", "test_the_last_word_on_a_shard_is_kept"),
    Trouble.SAID_OTHERWISE: ("ledger/test_callers.py", "test_what_another_version_has_said_is_shown_by_its_name"),
}
"""A test file and the test that provokes it there."""


@pytest.mark.parametrize("trouble", Trouble)
def test_something_provokes_it(trouble: Trouble) -> None:
    """A new entry needs a case that provokes it."""
    if trouble in FROM_TABLES:
        return
    file, test = ELSEWHERE[trouble]
    assert f"def {test}(" in (TESTS / file).read_text()
