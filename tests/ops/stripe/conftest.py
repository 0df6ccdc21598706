"""Most tests of this folder use a push log whose past the test writes."""

import pytest

from tests.ops.push_log_house import PushLogHouse


@pytest.fixture
def house(push_log_house: PushLogHouse) -> PushLogHouse:
    """The room's."""
    return push_log_house
