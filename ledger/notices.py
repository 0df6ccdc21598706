"""Notices: what a service has to say of a shard to a person, for `billing status` to show.

It says so again and again for as long as it is so. What is here is told by nothing else, and may be lost.
"""

from collections.abc import Collection
from enum import StrEnum

from ledger.script import load
from ledger.shard import Shard
from metering.troubles.finding import Finding, from_json, to_json

_POST = load("post_notices")
_READ = load("read_notices")
KEPT_SECONDS = 600  # a worker that is gone says nothing more; that its fold stands still is seen without it


class Author(StrEnum):
    """Who says it: each service has notices of its own, which it replaces whole."""

    AGGREGATOR = "aggregator"
    STRIPE_WORKER = "stripe-worker"


async def post_notices(shard: Shard, author: Author, findings: Collection[Finding]) -> None:
    """Says this, and nothing else any more."""
    args: list[str | bytes | int] = [KEPT_SECONDS]
    for name, text in to_json(findings).items():
        args += (name, text)
    await shard.run(_POST, [shard.keys.notices(author)], args)


async def read_notices(shard: Shard) -> list[Finding]:
    """What was said last, by whomever."""
    said = list[Finding]()
    for author in Author:
        reply = await shard.run(_READ, [shard.keys.notices(author)], [])
        told = {name.decode(): text.decode() for name, text in zip(reply[::2], reply[1::2], strict=True)}
        said += from_json(shard.number, told)
    return said
