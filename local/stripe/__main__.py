"""`python -m local.stripe --port N`, with `--help` for the rest.

The environment variables `BILLING_STRIPE_DOUBLE_WEBHOOK_URL` and `BILLING_STRIPE_WEBHOOK_SECRET` set the receiver of
webhooks and the secret that signs them.
"""

import argparse
import os
from pathlib import Path

from local.stripe.serve import WEBHOOK_SECRET, WEBHOOK_URL, serve
from runtime.failing import ends_in_one_line


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


_PARSER = argparse.ArgumentParser(prog="python -m local.stripe", description="A stateful stand-in for Stripe.")
_PARSER.add_argument("--port", type=int, required=True)
_PARSER.add_argument("--host", default="127.0.0.1")
_PARSER.add_argument("--state", type=Path, help="SQLite file that keeps the state (default: in memory)")
_PARSER.add_argument("--latency", type=float, default=0.0, help="seconds that each answer takes (default: 0)")
_PARSER.add_argument("--webhook-url", default=os.environ.get(WEBHOOK_URL), help="where error reports are sent")
_PARSER.add_argument(
    "--set", action="append", type=_setting, default=[], metavar="NAME=VALUE", help="a setting; see /_double/settings"
)


def main() -> None:
    """Serves until SIGTERM; ends with a one-line message if it can't."""
    arguments = _PARSER.parse_args()
    webhook = {"webhook_url": arguments.webhook_url, "webhook_secret": os.environ.get(WEBHOOK_SECRET)}
    with ends_in_one_line("stripe-double"):
        serve(
            arguments.host,
            arguments.port,
            arguments.state,
            latency=arguments.latency,
            settings=dict(arguments.set) | {name: value for name, value in webhook.items() if value},
        )


if __name__ == "__main__":
    main()
