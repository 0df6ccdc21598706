"""`/healthz` and `/readyz`: whether the process lives, and whether it can answer every account, with fresh totals."""

import asyncio
from collections.abc import Callable

from fastapi import APIRouter

from api.problems import ProblemCode, ProblemError
from ledger.reading import ready_as_of
from ledger.shard import Ledger


def health_routes(ledger: Ledger, now: Callable[[], float], fresh_seconds: float) -> APIRouter:
    """Both probes. A shard that was last caught up longer ago than `fresh_seconds` is not fresh."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready() -> dict[str, str]:
        moments = await asyncio.gather(*(ready_as_of(ledger.shard(number)) for number in range(ledger.partitions)))
        missing = moments.count(None)
        if missing:
            raise ProblemError(ProblemCode.NOT_READY, f"{missing} of {len(moments)} shards are not ready.")
        stale = sum(as_of is not None and now() - as_of / 1000 > fresh_seconds for as_of in moments)
        if stale:
            raise ProblemError(ProblemCode.NOT_READY, f"{stale} of {len(moments)} shards are not fresh.")
        return {"status": "ok"}

    return router
