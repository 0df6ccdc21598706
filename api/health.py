"""`/healthz` and `/readyz`: whether the process lives, and whether it can answer every account."""

from fastapi import APIRouter

from api.problems import ProblemCode, ProblemError
from ledger.reading import is_ready
from ledger.shard import Ledger


def health_routes(ledger: Ledger) -> APIRouter:
    """Both probes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready() -> dict[str, str]:
        missing = [number for number in range(ledger.partitions) if not await is_ready(ledger.shard(number))]
        if missing:
            detail = f"{len(missing)} of {ledger.partitions} shards are not ready."
            raise ProblemError(ProblemCode.NOT_READY, detail)
        return {"status": "ok"}

    return router
