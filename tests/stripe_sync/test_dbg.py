import asyncio, collections
from tests.stripe_sync.conftest import *
from tests.stripe_sync.test_shard_worker import *
async def test_x(world):
    await some_usage(world)
    calls=collections.Counter(); import time; t=time.time()
    last=[]
    async def note(name, perform):
        calls[name]+=1; last.append(name)
        return await perform()
    try:
        await asyncio.wait_for(world.bill(world.worker(note)),5)
    except BaseException as e: print(repr(e))
    print(time.time()-t, calls, last[-30:])
    print(world.clock.now_ms()/1000-NOON, len(world.log.entries()), world.double.billed(), world.expected())
    print([decode(e.value).kind for e in world.log.entries()])
