"""`/healthz` and `/readyz`: the process lives; and it can answer for all accounts, with fresh totals."""

import asyncio
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.http.describing import NOBODY, Tag
from api.http.problems import ProblemCode, ProblemError, describe
from ledger.reading import ready_as_of
from ledger.shard import Ledger
from ledger.state import read_state

ALIVE = "/healthz"
_NOT_READY = describe(ProblemCode.MALFORMED_REQUEST, ProblemCode.NOT_READY, ProblemCode.STORE_UNAVAILABLE)


class Health(BaseModel):
    """All is well."""

    model_config = ConfigDict(
        json_schema_serialization_defaults_required=True, json_schema_extra={"example": {"status": "ok"}}
    )

    status: Literal["ok"] = "ok"


def health_routes(ledger: Ledger, now: Callable[[], float], fresh_seconds: float) -> APIRouter:
    """Returns both probes. A shard that last caught up more than `fresh_seconds` ago is not fresh.

    A shard that is stopped until a person decides does not count. Taking this process out of service would not help its
    accounts, and would harm all others.
    """
    router = APIRouter(tags=[Tag.PLATFORM])

    @router.get(ALIVE, operation_id="alive", responses=describe(ProblemCode.MALFORMED_REQUEST), openapi_extra=NOBODY)
    async def alive() -> Health:
        """The process lives."""
        return Health()

    @router.get("/readyz", operation_id="ready", responses=_NOT_READY, openapi_extra=NOBODY)
    async def ready() -> Health:
        """Redis answers, every shard is ready, and was caught up a moment ago."""
        shards = [ledger.shard(number) for number in range(ledger.partitions)]
        moments = await asyncio.gather(*(ready_as_of(shard) for shard in shards))
        ages = [None if as_of is None else now() - as_of / 1000 for as_of in moments]
        late = [shard for shard, age in zip(shards, ages, strict=True) if age is None or age > fresh_seconds]
        waiting = [shard for shard in late if not (await read_state(shard)).stops]
        missing = sum(moments[shard.number] is None for shard in waiting)
        if missing:
            raise ProblemError(ProblemCode.NOT_READY, f"{missing} of {len(shards)} shards are not ready.")
        if waiting:
            raise ProblemError(ProblemCode.NOT_READY, f"{len(waiting)} of {len(shards)} shards are not fresh.")
        return Health()

    return router
