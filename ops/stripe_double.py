"""`billing stripe-double`: runs the stand-in for Stripe alone."""

from pathlib import Path
from typing import Annotated

import typer

from local.servers.ports import LOOPBACK
from local.stripe.serve import WEBHOOK_SECRET, WEBHOOK_URL, serve

app = typer.Typer(add_completion=False)


@app.command()
def stripe_double(
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 for any free port.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = LOOPBACK,
    state: Annotated[Path | None, typer.Option(help="A file that keeps its state; default: in memory.")] = None,
    webhook_url: Annotated[
        str | None, typer.Option(envvar=WEBHOOK_URL, help="Where error reports are sent; default: nowhere.")
    ] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(envvar=WEBHOOK_SECRET, help="The secret that signs them.", show_default=False)
    ] = None,
    latency: Annotated[float, typer.Option(min=0, help="Seconds that each answer takes.")] = 0.0,
) -> None:
    """Serve a stand-in for Stripe until Ctrl-C."""
    webhook = {"webhook_url": webhook_url, "webhook_secret": webhook_secret}
    settings = {name: value for name, value in webhook.items() if value}
    serve(host, port, state, latency=latency, settings=settings)
