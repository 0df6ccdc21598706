"""`billing topics`: the topics that the platform counts on."""

import os

import typer

from local.stack.settings import settings_of
from ops.stack_env import KAFKA, StackDir, find_env
from runtime.settings import KafkaSettings
from runtime.topics import create_topics, topic_specs, verify_topics

app = typer.Typer(add_completion=False)


@app.command()
def topics(directory: StackDir = None) -> None:
    """Create the topics that are missing, and verify them all; those that exist are left as they are."""
    settings = settings_of(KafkaSettings, find_env(directory, os.environ, KAFKA))
    created = create_topics(settings)
    verify_topics(settings)
    for spec in topic_specs(settings):
        typer.echo(f"{spec.name}: {'created' if spec.name in created else 'as it must be'}")
