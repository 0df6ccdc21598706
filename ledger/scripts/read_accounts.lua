-- KEYS: 1 fences, 2 accounts   ARGV: accounts
return redis.call('HMGET', KEYS[2], unpack(ARGV))
