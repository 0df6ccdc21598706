"""`billing topics`: creates and verifies the platform's Kafka topics."""

import os

import typer

from local.stack.settings import settings_of
from ops.console.target import KAFKA, StackDir, find_env
from runtime.settings import KafkaSettings
from runtime.topics import create_topics, single_copy_warning, topic_specs, verify_topics

app = typer.Typer(add_completion=False)


@app.command()
def topics(directory: StackDir = None) -> None:
    """Create missing topics, and verify all topics. Existing topics are not changed."""
    settings = settings_of(KafkaSettings, find_env(directory, os.environ, KAFKA))
    created = create_topics(settings)
    found = verify_topics(settings)
    for spec, topic in zip(topic_specs(settings), found, strict=True):
        added = topic.partitions - (spec.partitions or topic.partitions)
        more = f"; partitions that were added: {added}, what lies there is re-routed" if added else ""
        typer.echo(f"{spec.name}: {'created' if spec.name in created else 'as it must be'}{more}")
    if warning := single_copy_warning(found, [topic.name for topic in found]):
        typer.echo(warning)
