"""Checks parameters with pydantic models, and turns pydantic's errors into Stripe's.

The endpoints declare the parameters that the double implements. All other parameters, even real ones of Stripe's, are
refused as unknown and not ignored. So a caller never relies on a parameter without effect.
"""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from local.stripe.errors import StripeError, missing_parameter, unknown_parameter


class Params(BaseModel):
    """The base of every endpoint's parameters."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoParams(Params):
    """An endpoint without parameters."""


P = TypeVar("P", bound=Params)


def _in_order(value: Any) -> Any:
    """Returns a form's array, which arrives as a mapping of indexes, as a list."""
    if isinstance(value, dict) and all(key.isdigit() for key in value):
        return [value[key] for key in sorted(value, key=int)]
    return value


Text = Annotated[str, Field(min_length=1, max_length=5000)]
# Source: Stripe, "Metadata": keys of 40 and values of 500 characters, 50 of them.
MetadataMap = Annotated[
    dict[Annotated[str, Field(max_length=40)], Annotated[str, Field(max_length=500)]], Field(max_length=50)
]
Metadata = Annotated[MetadataMap, Field(default_factory=dict)]
# Unix seconds, to the end of the year 9999.
UnixTime = Annotated[int, Field(ge=0, le=253402300799)]
T = TypeVar("T")
Listed = Annotated[list[T], BeforeValidator(_in_order)]


def parse(model: type[P], given: Any) -> P:
    """Checks `given` against the model.

    Raises:
        StripeError: 400 for the first problem: unknown parameters come first, then missing ones, then wrong values.
    """
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise _refusal(error) from None


def parse_json(model: type[P], body: bytes) -> P:
    """Checks a JSON body against the model: strictly, so that a number is not accepted as a string.

    Raises:
        StripeError: 400, see `parse`.
    """
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise _refusal(error) from None


_URGENCY = {"extra_forbidden": 0, "missing": 1}
_INTEGERS = ("int_parsing", "int_type", "int_from_float")
_BOUNDS = {"less_than_equal": "less than or equal to", "greater_than_equal": "greater than or equal to"}


def _refusal(error: ValidationError) -> StripeError:
    worst = min(error.errors(include_url=False), key=lambda each: _URGENCY.get(each["type"], 2))
    return _worded(worst, _name(worst["loc"]))


def _worded(problem: ErrorDetails, param: str) -> StripeError:
    kind, given, limits = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_parameter(param)
    if kind == "missing":
        return missing_parameter(param)
    if kind in _INTEGERS:
        return StripeError(f"Invalid integer: {given}", code="parameter_invalid_integer", param=param)
    if kind in _BOUNDS:
        message = f"This value must be {_BOUNDS[kind]} {limits.get('le', limits.get('ge'))}."
        return StripeError(message, code="parameter_invalid_integer", param=param)
    if kind == "string_too_short":
        message = (
            f"You passed an empty string for '{param}'. We assume empty values are an attempt to unset a parameter"
        )
        return StripeError(
            f"{message}; however '{param}' cannot be unset.", code="parameter_invalid_empty", param=param
        )
    if kind == "string_too_long":
        return StripeError(f"Invalid string: {param} must be at most {limits['max_length']} characters", param=param)
    if kind == "literal_error":
        return StripeError(f"Invalid {param}: must be one of {limits['expected']}", param=param)
    return StripeError(f"Invalid {param}: {problem['msg']}", param=param)


def _name(location: tuple[int | str, ...]) -> str:
    """`("items", 0, "price")` is `items[0][price]`."""
    first, *rest = location or ("body",)
    return str(first) + "".join(f"[{part}]" for part in rest)
