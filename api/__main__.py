"""`python -m api`: serves until it is told to stop, then finishes what is in progress."""

import asyncio
import logging
import signal
import sys

import uvicorn

from api.app import create_app
from api.error_handlers import STORE_ERRORS
from api.settings import ApiSettings
from runtime.garbage import collect_seldom
from runtime.logs import configure_logging
from runtime.redis import RedisUnsafeError, check_server, connect

SHUTDOWN_SECONDS = 15  # longer than the longest call: Stripe's 10 s

log = logging.getLogger(__name__)


def main() -> None:
    """Checks the server once, then serves."""
    configure_logging()
    # uvicorn raises the signal anew once it has stopped gracefully.
    signal.signal(signal.SIGTERM, _leave)
    settings = ApiSettings()
    try:
        asyncio.run(_check_redis(settings))
    except RedisUnsafeError as error:
        sys.exit(f"api: {error}")
    app = create_app(settings)
    collect_seldom()
    uvicorn.run(
        app,
        host=settings.http_host,
        port=settings.http_port,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


async def _check_redis(settings: ApiSettings) -> None:
    """Refuses an evicting server. One that is away is no reason not to start: requests are told so until it is back."""
    client = connect(settings)
    try:
        await check_server(client)
    except STORE_ERRORS as error:
        log.warning("Redis does not answer yet: %s: %s", type(error).__name__, error)
    finally:
        await client.aclose()


def _leave(*_: object) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
