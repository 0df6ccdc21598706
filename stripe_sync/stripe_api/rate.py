"""The platform's rate of calls to Stripe, shared by shards: a worker takes the share of those it owns."""

from aiolimiter import AsyncLimiter

BURST_SECONDS = 0.25  # made up for after a hold-up: 80 % of Stripe's limit and a quarter of that stay within it


class RateShare:
    """Admits this process's share of the platform's calls per second."""

    def __init__(self, platform_rate: float, partitions: int) -> None:
        self._rate_per_shard = platform_rate / partitions
        self._limiter = _limiter(self._rate_per_shard)

    def own(self, shards: int) -> None:
        """Takes the share of so many shards."""
        self._limiter = _limiter(self._rate_per_shard * max(1, shards))

    async def admit(self) -> None:
        """Waits for the next call's turn."""
        await self._limiter.acquire()


def _limiter(rate: float) -> AsyncLimiter:
    period = max(BURST_SECONDS, 1 / rate)
    return AsyncLimiter(max_rate=max(1.0, rate * period), time_period=period)  # 1 / rate * rate may fall short of 1
