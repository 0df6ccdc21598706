"""Long work shows its progress; short work shows nothing."""

import io
from collections.abc import Iterator

from ops.console.bar import Bar


class Terminal(io.StringIO):
    """A standard error that a person looks at."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def at(*seconds: float) -> Iterator[float]:
    """A clock that is looked at this many times."""
    return iter(seconds)


def test_what_is_done_at_once_shows_nothing() -> None:
    """Work of less than two seconds shows nothing."""
    clock, out = at(0.0, 1.9), io.StringIO()
    with Bar("published", 100, out, lambda: next(clock)) as bar:
        bar.advance(100)
    assert out.getvalue() == ""


def test_what_takes_longer_says_so_now_and_then() -> None:
    """At most one line every five seconds, with numbers and per cent."""
    clock, out = at(0.0, 2.1, 3.0, 7.2), io.StringIO()
    with Bar("published", 12_000, out, lambda: next(clock)) as bar:
        for _ in range(3):
            bar.advance(1_500)
    assert out.getvalue() == "published: 1,500 of 12,000, 12 %\npublished: 4,500 of 12,000, 37 %\n"


def test_a_terminal_has_a_bar() -> None:
    """The bar disappears when the work is done."""
    clock, out = at(0.0, 2.1), Terminal()
    with Bar("published", 12_000, out, lambda: next(clock)) as bar:
        bar.advance(1_500)
    assert "1500/12000" in out.getvalue()


def test_the_total_may_turn_out_to_be_another() -> None:
    """`at` takes the sum of the work done, and a new total."""
    clock, out = at(0.0, 2.1, 7.2), io.StringIO()
    with Bar("compared", 10, out, lambda: next(clock)) as bar:
        bar.at(4)
        bar.at(6, 24)
    assert out.getvalue() == "compared: 4 of 10, 40 %\ncompared: 6 of 24, 25 %\n"
