-- Finds out whether the server throws keys away by itself, or may have done so since the shard was begun. Then nobody
-- sees the shard any more, and nothing is folded into it: both are noted with the fences. Behind `master`.
-- `unsafe` is the policy that evicts, or 'evicted'; false where nothing is lost. `seen` is what a new shard notes.
-- KEYS: 1 fences
local info = redis.call('INFO', 'memory', 'stats', 'server')
local policy = string.match(info, 'maxmemory_policy:([%w-]+)') or 'noeviction'
local run, evicted = string.match(info, 'run_id:(%x+)') or '', string.match(info, 'evicted_keys:(%d+)') or '0'
local incarnation, noted, before = unpack(redis.call('HMGET', KEYS[1], 'incarnation', 'evicted', 'unsafe'))
local noted_run, noted_count = string.match(noted or '', '(%x*):(%d+)')
local same, seen = noted_run == run, run .. ':' .. evicted
local lost = tonumber(evicted) > (same and tonumber(noted_count) or 0) or before and not same or before == 'evicted'
local unsafe = incarnation and lost and 'evicted' or policy ~= 'noeviction' and policy
if incarnation and unsafe then
  redis.call('HDEL', KEYS[1], 'ready', 'push_ready')  -- first: a full server would refuse what takes memory
  redis.call('HSET', KEYS[1], 'unsafe', unsafe)
elseif incarnation then
  if before then redis.call('HDEL', KEYS[1], 'unsafe') end
  if noted ~= seen then redis.call('HSET', KEYS[1], 'evicted', seen) end
end
