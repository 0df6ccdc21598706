"""Updates metadata. Source: Stripe, "Metadata": an empty value removes a key, an empty string removes all keys."""

from typing import Literal

from local.stripe.parameters import MetadataMap

MetadataUpdate = MetadataMap | Literal[""]


def updated_metadata(current: dict[str, str], change: MetadataUpdate | None) -> dict[str, str]:
    """Returns `current` after the change; None changes nothing."""
    if change is None:
        return current
    if change == "":
        return {}
    return {key: value for key, value in (current | change).items() if value != ""}
