-- Begins a table anew if its log may have forgotten what was removed since the table was last known to be complete.
-- Nobody sees the shard then, and no mark that was noted before holds, until all of it is folded. Gives the fence.
-- KEYS: 1 fences, 2 table   ARGV: 1 the log's earliest offset, 2 now, 3 how long the log tells all (ms), 4 incarnation
local fence, since, as_of = unpack(redis.call('HMGET', KEYS[1], LOG, LOG .. '.since', 'ready.as_of'))
local known = math.max(since or 0, as_of or 0)
if not fence or known > 0 and ARGV[2] - known < tonumber(ARGV[3]) then return fence end
redis.call('HSET', KEYS[1], LOG .. '.since', ARGV[2])
if known == 0 then return fence end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[1], LOG, ARGV[1], 'incarnation', ARGV[4])
redis.call('HDEL', KEYS[1], LOG .. '.last', 'ready')
return ARGV[1]
