"""What counts as the output that a document shows."""

import pytest

from tests.docs.output import differs


@pytest.mark.parametrize(
    ("language", "shown", "said"),
    [
        ("text", "acknowledged\n", "acknowledged\n"),
        ("text", "12 of 12 shards", "3 of 12 shards"),
        ("json", '{"url": "https://x/..."}', '{"url": "https://x/p/1"}'),
        (
            "json",
            '{"days": [{"total": 125, "at": "2026-06-01"}]}',
            '{"days": [{"total": null, "at": "2027-01-31"}, 1]}',
        ),
    ],
)
def test_numbers_may_differ(language: str, shown: str, said: str) -> None:
    """Given an output of the shape that is shown, then there is no difference."""
    assert differs(language, shown, said) is None


@pytest.mark.parametrize(
    ("language", "shown", "said", "where"),
    [
        ("text", "acknowledged", "spooled", "spooled"),
        ("json", '{"a": 1}', '{"b": 1}', "['b']"),
        ("json", '{"a": [1]}', '{"a": []}', ".a"),
        ("json", '{"a": [{"b": "x"}]}', '{"a": [{"b": 1}]}', ".a[0].b"),
        ("json", '{"a": {"b": "x y"}}', '{"a": {"b": "x"}}', ".a.b"),
    ],
)
def test_the_difference_is_named(language: str, shown: str, said: str, where: str) -> None:
    """Given an output of another shape, then it is said where."""
    assert where in (differs(language, shown, said) or "")
