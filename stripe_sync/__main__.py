"""`python -m stripe_sync`: bills the counts through Stripe until it is told to stop."""

import asyncio
import logging
import signal
import sys

from prometheus_client import CollectorRegistry

from runtime.logs import configure_logging
from runtime.monitor import Pulse, start_monitor
from runtime.redis import RedisUnsafeError
from runtime.topics import TopicMismatchError, verify_topics
from stripe_sync.errors import StripeStoppedError, WrongStripeError
from stripe_sync.service import serve
from stripe_sync.settings import StripeSyncSettings

log = logging.getLogger("stripe_sync")


async def _run(settings: StripeSyncSettings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pulse = Pulse()
    if settings.http_port:
        start_monitor(settings.http_host, settings.http_port, CollectorRegistry(), pulse)
    await serve(settings, stop, pulse)


def main() -> None:
    """Checks what the process stands on, then runs; exits with 1 where it may not or can't go on."""
    configure_logging()
    settings = StripeSyncSettings()  # type: ignore[call-arg]  # the environment has what is required
    try:
        verify_topics(settings)
        asyncio.run(_run(settings))
    except (TopicMismatchError, RedisUnsafeError, StripeStoppedError, WrongStripeError) as error:
        sys.exit(f"stripe_sync: {error}")


if __name__ == "__main__":
    main()
