"""Waiting with a deadline."""

import pytest

from tests.support.eventually import eventually, eventually_async


def test_it_returns_the_first_true_answer() -> None:
    """False answers and failed assertions mean not yet."""
    answers = iter([0, AssertionError("not yet"), "", 3, 4])

    def condition() -> object:
        answer = next(answers)
        if isinstance(answer, AssertionError):
            raise answer
        return answer

    assert eventually(condition) == 3


def test_the_deadline_names_what_was_waited_for() -> None:
    """The failure names the condition, the time and the last answer."""
    with pytest.raises(AssertionError, match=r"the rain did not hold within 0.05 s; the last answer: \[\]"):
        eventually(list, deadline=0.05, what="the rain")


def test_the_last_failed_assertion_is_raised() -> None:
    """A condition that asserts explains itself."""

    def condition() -> bool:
        raise AssertionError("2 of 3")

    with pytest.raises(AssertionError, match="2 of 3"):
        eventually(condition, deadline=0.05)


async def test_the_asynchronous_one_does_the_same() -> None:
    """It awaits the condition and returns the first true answer."""
    answers = iter([0, 5])

    async def condition() -> int:
        return next(answers)

    async def never() -> bool:
        return False

    assert await eventually_async(condition) == 5
    with pytest.raises(AssertionError, match="the rain"):
        await eventually_async(never, deadline=0.05, what="the rain")
