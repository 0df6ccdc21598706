"""`billing stripe-double`: the stand-in for Stripe, by itself."""

from pathlib import Path
from typing import Annotated

import typer

from local.servers.ports import LOOPBACK
from local.stripe.serve import serve

app = typer.Typer(add_completion=False)


@app.command()
def stripe_double(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where to listen; 0 for any free port.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = LOOPBACK,
    state: Annotated[Path | None, typer.Option(help="A file that keeps its state; default: in memory.")] = None,
) -> None:
    """Serve a stand-in for Stripe until Ctrl-C."""
    serve(host, port, state)
