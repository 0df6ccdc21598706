"""`python -m stripe_sync`: bills the counts through Stripe until it is told to stop.

With `--fold-only` (or BILLING_FOLD_ONLY=1) it only folds the push log, for a second copy of the state.
"""

import argparse
import asyncio
import logging
import signal

from prometheus_client import CollectorRegistry

from runtime.failing import ends_in_one_line
from runtime.garbage import collect_seldom
from runtime.logs import configure_logging
from runtime.monitor import Pulse, start_monitor
from runtime.start import checked_servers
from runtime.topics import TopicNames, single_copy_warning
from stripe_sync.process.fold_only import serve_fold_only
from stripe_sync.process.service import serve
from stripe_sync.settings import StripeSyncSettings

log = logging.getLogger("stripe_sync")


async def _run(settings: StripeSyncSettings) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    pulse, registry = Pulse(), CollectorRegistry()
    if settings.http_port:
        start_monitor(settings.http_host, settings.http_port, registry, pulse)
    if settings.fold_only:
        await serve_fold_only(settings, stop, pulse)
    else:
        await serve(settings, stop, pulse, registry)


def _settings() -> StripeSyncSettings:
    parser = argparse.ArgumentParser(prog="python -m stripe_sync")
    parser.add_argument("--fold-only", action="store_true", help="fold the push log into a second copy, nothing else")
    overrides = {"fold_only": True} if parser.parse_args().fold_only else {}
    return StripeSyncSettings(**overrides)  # type: ignore[arg-type]  # the environment has what is required


def main() -> None:
    """Checks what the process stands on, then runs; ends in one line where it may not or can't go on."""
    configure_logging()
    with ends_in_one_line("stripe_sync"):
        settings = _settings()
        found = checked_servers(settings)
        if warning := single_copy_warning(found, {TopicNames(settings.topic_prefix).pushes}):
            log.warning(warning)
        collect_seldom()
        asyncio.run(_run(settings))


if __name__ == "__main__":
    main()
