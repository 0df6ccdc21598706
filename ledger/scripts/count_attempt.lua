-- Counts an attempt; the first one opens a window. How many there were in it, and the seconds that it still lasts.
-- KEYS: 1 fences, 2 attempts   ARGV: 1 seconds of a window
local count = redis.call('INCR', KEYS[2])
if count == 1 then redis.call('EXPIRE', KEYS[2], ARGV[1]) end
return {count, redis.call('TTL', KEYS[2])}
