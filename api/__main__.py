"""`python -m api`: serves until it is told to stop, then finishes what is in progress."""

import asyncio
import logging
import sys
from socket import socket

from prometheus_client import CollectorRegistry

from api.app import create_app
from api.http.server import ApiServer, api_server
from api.settings import ApiSettings
from runtime.exit_codes import CANNOT_GO_ON
from runtime.failing import ends_in_one_line
from runtime.garbage import collect_seldom
from runtime.http_server import listen, require_files
from runtime.logs import configure_logging
from runtime.redis import check_redis
from runtime.retrying import RETRIABLE, is_hopeless, persistently
from runtime.watchdog import Watchdog

log = logging.getLogger(__name__)


def main() -> None:
    """Checks settings and Redis, then serves. Ends with a one-line message if it must not or can't go on."""
    configure_logging()
    with ends_in_one_line("api"):  # uvicorn raises SIGTERM anew once it has stopped gracefully
        settings = ApiSettings()
        require_files(settings.http_connections)
        answers = asyncio.run(_redis_answers(settings))
        door = listen(settings.http_host, settings.http_port)
        registry = CollectorRegistry()
        app = create_app(settings, registry=registry)
        app.openapi()  # made once, before the first request
        server = api_server(app, settings, registry)
        if not answers:
            server.first(lambda: persistently(lambda: check_redis(settings), settings.give_up_seconds))
        collect_seldom()
        Watchdog(server.pulse).start()
        _serve(server, door)


def _serve(server: ApiServer, door: socket) -> None:
    log.info("serving at http://%s:%d", *door.getsockname()[:2])
    server.run([door])
    if server.failure is not None:
        raise server.failure
    if not server.started:
        sys.exit(CANNOT_GO_ON)  # uvicorn has said why


async def _redis_answers(settings: ApiSettings) -> bool:
    """Refuses a wrong Redis server. If Redis is only away, the API serves: requests get 503 until it is back."""
    try:
        await check_redis(settings)
    except RETRIABLE as error:
        if is_hopeless(error):
            raise
        log.warning("Redis does not answer yet: %s: %s", type(error).__name__, error)
        return False
    return True


if __name__ == "__main__":
    main()
