"""The tests of this folder run on a platform that counts."""

import pytest

from tests.ops.replay_house import ReplayHouse


@pytest.fixture
def house(replay_house: ReplayHouse) -> ReplayHouse:
    """The room's."""
    return replay_house
