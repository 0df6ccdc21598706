"""A shard whose fences alone are gone: it is begun with nothing, or what is left of it would be counted again."""

from redis.asyncio import Redis

from ledger.answer import Verdict
from ledger.leftovers import remove_leftovers
from ledger.scan import scan_keys
from ledger.sessions import open_session
from ledger.shard import Shard
from ledger.state import Log, open_shard, read_state
from tests.ledger.folding import Folder, fold
from tests.ledger.reference import ACCOUNTS
from tests.ledger.stored import stored
from tests.metering.events import Record, event

LOG = [Record(number, event(id=str(number), subject=ACCOUNTS[0])) for number in range(5)]


async def test_a_shard_without_fences_is_folded_as_if_it_had_been_flushed(client: Redis, shard: Shard) -> None:
    """Given counters, due units and identities of an earlier life, none of them is in the next one."""
    await fold(shard, *LOG)
    before = await stored(client, shard)
    await client.unlink(shard.keys.fences)

    assert (await fold(shard, *LOG)).verdict is Verdict.APPLIED

    after = await stored(client, shard)
    assert (after.hours, after.days, after.due, after.names) == (before.hours, before.days, before.due, before.names)
    assert (await read_state(shard)).conservation.counted == len(LOG)


async def test_sessions_outlive_the_fold_that_they_are_no_part_of(client: Redis, shard: Shard) -> None:
    """Nobody has to sign in again for it."""
    await fold(shard, *LOG)
    await open_session(shard, "session", "hash", seconds=60)
    await client.unlink(shard.keys.fences)

    await open_shard(shard, Log.USAGE, earliest=0, incarnation="two")

    names = {name async for some in scan_keys(shard) for name in some}
    assert names == {shard.keys.session("session")}


async def test_what_is_being_folded_is_nobodys_leftover(client: Redis, shard: Shard) -> None:
    """Given two workers that find a shard without fences, the slower one leaves alone what the faster has begun."""
    await fold(shard, *LOG)

    await remove_leftovers(shard)

    assert (await Folder(shard).open()) == len(LOG)
    assert (await stored(client, shard)).hours.total() == len(LOG)
