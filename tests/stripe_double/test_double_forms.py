"""Stripe's form encoding, as its clients write it."""

import pytest

from local.stripe.errors import StripeError
from local.stripe.forms import decode


@pytest.mark.parametrize(
    ("encoded", "form"),
    [
        ("", {}),
        ("a=1&b=", {"a": "1", "b": ""}),
        ("a[b]=1&a[c][d]=2", {"a": {"b": "1", "c": {"d": "2"}}}),
        ("a%5Bb%5D=x+y%26z", {"a": {"b": "x y&z"}}),
        ("a[0][b]=1&a[1][b]=2", {"a": {"0": {"b": "1"}, "1": {"b": "2"}}}),
        ("a[]=1&a[]=2", {"a": {"0": "1", "1": "2"}}),
        ("a=1&a=2", {"a": "2"}),
    ],
)
def test_names_nest(encoded: str, form: dict[str, object]) -> None:
    """Brackets make mappings; an array is a mapping of its indexes."""
    assert decode(encoded) == form


@pytest.mark.parametrize("encoded", ["a=1&a[b]=2", "a[b]=2&a=1", "[b]=1", "a[b=1", "a]b=1", "a[b]c=1"])
def test_what_cannot_be_read_is_refused(encoded: str) -> None:
    """A value and a mapping at once, and names with brackets astray."""
    with pytest.raises(StripeError):
        decode(encoded)
