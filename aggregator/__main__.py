"""`python -m aggregator`: counts the usage log until it is told to stop."""

import asyncio
import os
import sys

from faust import Worker
from prometheus_client import CollectorRegistry

from aggregator.app import create_app
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.settings import AggregatorSettings
from runtime.garbage import collect_seldom
from runtime.logs import configure_logging
from runtime.monitor import start_monitor
from runtime.redis import RedisUnsafeError, check_server, connect
from runtime.topics import TopicMismatchError, verify_topics


async def _check_redis(settings: AggregatorSettings) -> None:
    client = connect(settings)
    try:
        await check_server(client)
    finally:
        await client.aclose()


def main() -> None:
    """Checks what the process stands on, then runs; exits with 1 where it may not or can't go on."""
    configure_logging()
    settings = AggregatorSettings()
    try:
        verify_topics(settings)
        asyncio.run(_check_redis(settings))
    except (TopicMismatchError, RedisUnsafeError) as error:
        sys.exit(f"aggregator: {error}")
    liveness, registry = Liveness(), CollectorRegistry()
    app = create_app(settings, liveness, AggregatorMetrics(registry))
    app.leave_at_once = lambda: os._exit(1)
    if settings.http_port:
        start_monitor(settings.http_host, settings.http_port, registry, liveness)
    collect_seldom()
    worker = Worker(app, quiet=True, redirect_stdouts=False, override_logging=False)
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()
