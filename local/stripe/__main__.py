"""`python -m local.stripe --port N [--host H] [--state FILE] [--latency SECONDS]`."""

import argparse
from pathlib import Path

from local.stripe.serve import serve

_PARSER = argparse.ArgumentParser(prog="python -m local.stripe", description="A stateful stand-in for Stripe.")
_PARSER.add_argument("--port", type=int, required=True)
_PARSER.add_argument("--host", default="127.0.0.1")
_PARSER.add_argument("--state", type=Path, help="SQLite file that keeps the state (default: in memory)")
_PARSER.add_argument("--latency", type=float, default=0.0, help="seconds that each answer takes (default: 0)")

if __name__ == "__main__":
    _ARGUMENTS = _PARSER.parse_args()
    serve(_ARGUMENTS.host, _ARGUMENTS.port, _ARGUMENTS.state, latency=_ARGUMENTS.latency)
