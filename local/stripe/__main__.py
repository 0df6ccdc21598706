"""`python -m local.stripe --port N`, with `--help` for the rest.

The environment variables `BILLING_STRIPE_DOUBLE_WEBHOOK_URL` and `BILLING_STRIPE_WEBHOOK_SECRET` name the receiver of
webhooks and what signs them.
"""

import argparse
import os
from pathlib import Path

from local.stripe.serve import WEBHOOK_SECRET, WEBHOOK_URL, serve

_PARSER = argparse.ArgumentParser(prog="python -m local.stripe", description="A stateful stand-in for Stripe.")
_PARSER.add_argument("--port", type=int, required=True)
_PARSER.add_argument("--host", default="127.0.0.1")
_PARSER.add_argument("--state", type=Path, help="SQLite file that keeps the state (default: in memory)")
_PARSER.add_argument("--latency", type=float, default=0.0, help="seconds that each answer takes (default: 0)")
_PARSER.add_argument("--webhook-url", default=os.environ.get(WEBHOOK_URL), help="where error reports are sent")
_PARSER.add_argument(
    "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting; see /_double/settings"
)

if __name__ == "__main__":
    _ARGUMENTS = _PARSER.parse_args()
    _NAMED = dict(each.split("=", 1) for each in _ARGUMENTS.set)
    _WEBHOOK = {"webhook_url": _ARGUMENTS.webhook_url, "webhook_secret": os.environ.get(WEBHOOK_SECRET)}
    serve(
        _ARGUMENTS.host,
        _ARGUMENTS.port,
        _ARGUMENTS.state,
        latency=_ARGUMENTS.latency,
        settings=_NAMED | {name: value for name, value in _WEBHOOK.items() if value},
    )
