"""`python -m aggregator`: counts the usage log until it is told to stop."""

import logging
import os

from prometheus_client import CollectorRegistry

from aggregator.faust_adapter.app import AggregatorApp, create_app, run
from aggregator.liveness import Liveness
from aggregator.metrics import AggregatorMetrics
from aggregator.settings import AggregatorSettings
from runtime.exit_codes import CANNOT_GO_ON
from runtime.failing import ends_in_one_line, explain, say
from runtime.garbage import collect_seldom
from runtime.logs import configure_logging
from runtime.monitor import start_monitor
from runtime.start import checked_servers
from runtime.topics import TopicFound, TopicNames, single_copy_warning
from runtime.watchdog import SILENT_SECONDS, Watchdog

log = logging.getLogger("aggregator")


def main() -> None:
    """Checks what the process stands on, then runs; ends in one line where it may not or can't go on."""
    configure_logging()
    with ends_in_one_line("aggregator"):
        settings = AggregatorSettings()
        _run(settings, checked_servers(settings))


def _run(settings: AggregatorSettings, found: list[TopicFound]) -> None:
    names = TopicNames(settings.topic_prefix)
    if warning := single_copy_warning(found, {names.usage, names.dead_letters, names.accounts, names.api_keys}):
        log.warning(warning)
    liveness, registry = Liveness(), CollectorRegistry()
    app = create_app(settings, liveness, AggregatorMetrics(registry))
    app.leave_at_once = lambda: _leave_at_once(app)
    if settings.http_port:
        start_monitor(settings.http_host, settings.http_port, registry, liveness)
    Watchdog(liveness, silent_seconds=SILENT_SECONDS + settings.give_up_seconds).start()
    collect_seldom()
    run(app)


def _leave_at_once(app: AggregatorApp) -> None:
    """Kafka is away, or Redis: leaving in order takes too long. Says why it had to leave, if that was it."""
    reason = app.crash_reason
    words = explain(reason) if isinstance(reason, Exception) else None
    say(f"aggregator: {words or 'it took too long to leave in order: what was under way is done by the next one'}")
    os._exit(CANNOT_GO_ON)


if __name__ == "__main__":
    main()
