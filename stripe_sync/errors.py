"""What stops a worker or one of its shards."""


class StripeStoppedError(Exception):
    """Stripe will not talk to this key: nothing may be sent until a person has mended it. Stops the process."""


class WrongStripeError(Exception):
    """The push log belongs to another namespace, Stripe account or mode than this worker. Stops the process."""


class UnreadablePushLogError(Exception):
    """A record of the push log has no known meaning: what it claimed can't be told. Stops the shard."""


class PushLogLostError(Exception):
    """The push log no longer reaches where the shard stands. Stops the shard."""
