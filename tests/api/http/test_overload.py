"""More requests than can be answered at once."""

import asyncio

from api.settings import ApiSettings
from tests.api.calling import USAGE, Interposed, assert_problem, bearer, calling, settings_of
from tests.api.folded import Folded


async def test_what_is_too_much_is_told_to_come_back(settings: ApiSettings, folded: Folded) -> None:
    """Given the most requests at once, all waiting for Redis, one more gets 503; the health check still answers."""
    headers, release, arrived = bearer(await folded.key("acme")), asyncio.Event(), asyncio.Semaphore(0)

    async def hold(_: str) -> None:
        arrived.release()
        await release.wait()

    limited = settings_of(settings.redis_url, settings.redis_prefix, http_connections=2)
    async with calling(limited, store=Interposed(folded.ledger.store, hold)) as api:
        held = [asyncio.create_task(api.get(USAGE, headers=headers)) for _ in range(2)]
        for _ in held:
            await arrived.acquire()
        refused = await api.get(USAGE, headers=headers)
        assert_problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert (await api.get("/healthz")).status_code == 200
        release.set()
        assert [(await each).status_code for each in held] == [200, 200]
        assert (await api.get(USAGE, headers=headers)).status_code == 200
