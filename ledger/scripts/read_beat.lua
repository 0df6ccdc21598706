-- Seconds since the last beat; nothing where none is remembered.
-- KEYS: 1 fences, 2 beats   ARGV: 1 seconds until a beat is forgotten
local left = redis.call('TTL', KEYS[2])
return left >= 0 and ARGV[1] - left
