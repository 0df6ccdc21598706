"""The copy of the platform's rules that travels with the producers is the platform's own."""

from metering import limits
from metering.meters import CATALOGUE
from runtime.topics import TopicNames
from telephony_billing_producers import contract

NAMES = [name for name in dir(limits) if name.isupper()]


def test_every_bound_of_the_platform_is_in_the_contract() -> None:
    """None is missing, none differs, and none is there that the platform doesn't have."""
    ours = {name for name in dir(contract) if name.isupper()} - {"METERS", "TOPIC"}

    assert ours == set(NAMES)
    assert [getattr(contract, name) for name in NAMES] == [getattr(limits, name) for name in NAMES]


def test_the_meters_are_the_catalogues() -> None:
    """By name, in the order of the catalogue, each with the moment from which it counts."""
    assert list(contract.METERS.items()) == [(meter.name, meter.counts_since_ms) for meter in CATALOGUE]


def test_the_topic_is_the_platforms() -> None:
    """Under whatever prefix an installation has."""
    assert TopicNames("eu.").usage == "eu." + contract.TOPIC
