-- Notes up to which day's work the shard was pruned, unless it stands before the fence at which that was.
-- KEYS: 1 fences   ARGV: 1 usage fence, 2 day
local fence = redis.call('HGET', KEYS[1], 'usage')
if fence and tonumber(fence) >= tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'pruned', ARGV[2]) end
