"""`billing emit`: publishes usage events by hand, through the emitter that the services use."""

import os
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from prometheus_client import CollectorRegistry

from local.stack.settings import settings_of
from ops.console.arguments import parse_time
from ops.console.errors import OpsError
from ops.console.target import KAFKA, StackDir, find_env
from ops.logs.account_log import warn_of_unset
from runtime.kafka import connection_options
from runtime.kafka_reaching import wait_for_kafka
from runtime.settings import KafkaSettings
from telephony_billing_producers import EmitterSettings, UsageEmitter

ACKNOWLEDGE_SECONDS = 30.0  # seconds until Kafka must have acknowledged all events
SOURCE = "/billing/emit"

app = typer.Typer(add_completion=False)


@app.command()
def emit(  # noqa: PLR0913 - an event's attributes
    *,
    account: Annotated[str, typer.Option(help="Who is billed.")],
    meter: Annotated[str, typer.Option(help="What for, such as sms.send.")],
    quantity: Annotated[int, typer.Option(help="Units of each event.")] = 1,
    event_id: Annotated[
        str | None, typer.Option("--id", help="The event's id; the same id again is a duplicate. Default: a new one.")
    ] = None,
    time: Annotated[str | None, typer.Option(metavar="TIME", help="When it happened, RFC 3339; default: now.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many; their ids end in -1, -2 and so on.")] = 1,
    source: Annotated[str, typer.Option(help="The service that saw it; ids are unique within it.")] = SOURCE,
    directory: StackDir = None,
) -> None:
    """Publish usage events, and print their ids once Kafka has them."""
    settings = settings_of(KafkaSettings, find_env(directory, os.environ, KAFKA))
    wait_for_kafka(settings)  # the emitter itself would go on trying
    warn_of_unset(settings, account)
    moment = None if time is None else datetime.fromtimestamp(parse_time("--time", time), UTC)
    base = event_id or str(uuid.uuid4())
    ids = [base] if count == 1 else [f"{base}-{number}" for number in range(1, count + 1)]
    with tempfile.TemporaryDirectory(prefix="billing-emit-") as spool, _emitter(settings, Path(spool)) as emitter:
        for each in ids:
            emitter.emit(meter, account, id=each, source=source, quantity=quantity, time=moment)
        _flush(emitter, settings, base)
    for each in ids:
        typer.echo(each)


def _emitter(settings: KafkaSettings, spool: Path) -> UsageEmitter:
    options = connection_options(settings)
    options.pop("bootstrap_servers")
    return UsageEmitter(
        EmitterSettings(
            bootstrap_servers=settings.kafka_bootstrap_servers,
            topic_prefix=settings.topic_prefix,
            spool_directory=spool,
            kafka_options=options,
        ),
        registry=CollectorRegistry(),
    )


def _flush(emitter: UsageEmitter, settings: KafkaSettings, base: str) -> None:
    try:
        emitter.flush(ACKNOWLEDGE_SECONDS)
    except TimeoutError as error:
        raise OpsError(
            f"Kafka at {settings.kafka_bootstrap_servers} did not acknowledge within {ACKNOWLEDGE_SECONDS:g} s, and "
            f"some events may be missing: has `billing topics` been run? Then repeat the command with --id {base}"
        ) from error
