"""What stops a worker or one of its shards."""

from metering.stop import ShardStoppedError, StopReason


class StripeStoppedError(Exception):
    """Stripe will not talk to this key: nothing may be sent until a person has mended it. Stops the process."""


class WrongStripeError(Exception):
    """The push log belongs to another namespace, Stripe account or mode than this worker. Stops the process."""


class UnreadablePushLogError(Exception):
    """A record of the push log has no known meaning: what it claimed can't be told. Stops the shard."""


class PushLogLostError(ShardStoppedError):
    """The push log is not the one that was folded: it was cut, truncated or recreated. Stops the shard."""

    def __init__(self, offset: int, message: str) -> None:
        """`offset` is where the logs part, as far as is known."""
        super().__init__(StopReason.LOG_LOST, offset, message)
