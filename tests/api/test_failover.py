"""A failover whose old master lives on: the API reports its readers' errors, and finds the new master by itself."""

from pathlib import Path

from local.servers.redis import RedisServer
from tests.api.calling import DAILY, NOW, PERIODS, USAGE, assert_problem, bearer, calling, settings_of, totals
from tests.api.folded import folding
from tests.ledger.failing_over import failing_over


async def test_the_api_finds_the_new_master_by_itself(own_redis: RedisServer, tmp_path: Path) -> None:
    """Given connections to a server that lives on as a replica, one answer is lost to them."""
    async with (
        failing_over(own_redis, tmp_path / "replica") as pair,
        calling(settings_of(pair.board.redis_url, "t:")) as api,
    ):
        async with folding(pair.master.url, "t:") as folded:
            key = await folded.key("acme")
            await folded.use("acme", "sms.send", 2, NOW)
            await folded.ready()
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}

        pair.swap()
        async with folding(pair.master.url, "t:") as folded:
            await folded.ready()
        pair.attach()

        assert_problem(await api.get("/readyz"), 503, "store_unavailable")
        assert (await api.get("/readyz")).status_code == 200
        assert totals(await api.get(USAGE, headers=bearer(key))) == {"sms.send": 2}


async def test_a_demoted_master_serves_nobody(own_redis: RedisServer, tmp_path: Path) -> None:
    """Given no way to the new master, every answer is a 503, and the probe says what readers get."""
    async with (
        failing_over(own_redis, tmp_path / "replica") as pair,
        calling(settings_of(pair.replica.url, "t:")) as api,
    ):
        async with folding(pair.master.url, "t:") as folded:
            key = await folded.key("acme")
            await folded.ready()
        pair.attach()  # the replica holds a mark of its own replication id
        for path in (USAGE, DAILY, PERIODS, "/readyz"):
            for _ in range(2):
                assert_problem(await api.get(path, headers=bearer(key)), 503, "store_unavailable")
        assert (await api.get("/healthz")).status_code == 200
