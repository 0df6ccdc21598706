"""The delay before an ended service is started again."""

from itertools import accumulate

from local.stack.back_off import FIRST_SECONDS, LONGEST_SECONDS, STEADY_SECONDS, next_delay


def test_it_doubles_from_a_fraction_of_a_second_to_a_few() -> None:
    """Quick ends in a row wait longer and longer, up to the bound."""
    delays = list(accumulate(range(8), lambda delay, _: next_delay(delay, 0.1), initial=next_delay(None, 0.1)))
    assert delays[:4] == [0.2, 0.4, 0.8, 1.6]
    assert delays[-1] == LONGEST_SECONDS


def test_who_ran_for_a_while_starts_over() -> None:
    """After a long run, the delay begins anew."""
    assert next_delay(LONGEST_SECONDS, STEADY_SECONDS) == FIRST_SECONDS
