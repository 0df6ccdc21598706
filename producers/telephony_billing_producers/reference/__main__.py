"""`python -m telephony_billing_producers.reference sms --port 8090`: runs a reference service."""

import argparse
import os
import sys

import uvicorn

from .app import create_app
from .carriers import KINDS
from .settings import SettingsError, from_environment


def main() -> None:
    """Serves until SIGTERM, which uvicorn handles: the emitter is closed in the app's lifespan."""
    parser = argparse.ArgumentParser(prog="python -m telephony_billing_producers.reference")
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    arguments = parser.parse_args()
    try:
        settings = from_environment(os.environ)
    except SettingsError as error:
        sys.exit(f"{arguments.kind}: {error}")
    uvicorn.run(create_app(arguments.kind, settings), host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    main()
