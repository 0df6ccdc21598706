"""Which failures are waited for, and for how long."""

import pytest
from aiokafka import errors as kafka
from redis import exceptions as redis

from runtime.retrying import RETRIABLE, gives_up

PASSING = [
    redis.ConnectionError("away"),
    redis.TimeoutError("slow"),
    redis.BusyLoadingError("loading its file"),
    redis.OutOfMemoryError("full"),
    redis.ReadOnlyError("a replica, until it is promoted"),
    redis.ClusterDownError("no majority"),
    kafka.KafkaConnectionError("away"),
    kafka.KafkaTimeoutError("slow"),
    kafka.NotLeaderForPartitionError("an election"),
    kafka.UnknownTopicOrPartitionError("not known to every broker yet"),
    ConnectionResetError("cut"),
    TimeoutError("slow"),
]
HOPELESS = [
    redis.AuthenticationError("the password was changed"),
    redis.NoPermissionError("an ACL"),
    kafka.TopicAuthorizationFailedError("an ACL"),
    kafka.GroupAuthorizationFailedError("an ACL"),
    kafka.MessageSizeTooLargeError("the dead letters' topic takes less than it must"),
]


@pytest.mark.parametrize("error", PASSING, ids=repr)
def test_what_passes_by_itself_is_waited_for_in_bounds(error) -> None:
    """The patience is a setting."""
    assert isinstance(error, RETRIABLE)
    assert not gives_up(error, 60.0, 60.0)
    assert gives_up(error, 60.1, 60.0)


@pytest.mark.parametrize("error", HOPELESS, ids=repr)
def test_what_only_a_person_can_mend_is_not_waited_for(error) -> None:
    """The process ends and says so."""
    assert gives_up(error, 0.0, 60.0)
