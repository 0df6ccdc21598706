"""The common part of the idiomatic Faust contestants: a standard app, as in Faust's guides."""

import sys
from uuid import uuid4

import faust

from bench.task import Task


class DisklessApp(faust.App):
    """A standard app, but without directories for tables: there are none."""

    def _create_directories(self) -> None:
        pass


def stock_app(task: Task) -> tuple[faust.App, faust.TopicT]:
    """Returns an app, and the topic that its agent reads."""
    app = DisklessApp(
        f"bench-{uuid4().hex}",
        broker=f"kafka://{task.bootstrap}",
        value_serializer="raw",
        topic_disable_leader=True,
        web_enabled=False,
        consumer_auto_offset_reset="earliest",
    )
    return app, app.topic(task.topic, value_type=bytes, value_serializer="raw", key_serializer="raw")


def run(app: faust.App) -> None:
    """Runs a worker until its agent ends the process."""
    sys.argv[1:] = []
    faust.Worker(app, loglevel="ERROR", redirect_stdouts=False).execute_from_commandline()
