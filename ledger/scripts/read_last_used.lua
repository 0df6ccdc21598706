-- When some keys were last used, in the order of their hashes.
-- KEYS: 1 fences, 2 last used   ARGV: hashes
return redis.call('HMGET', KEYS[2], unpack(ARGV))
