-- Some accounts' records.
-- KEYS: 1 fences, 2 accounts   ARGV: accounts
return {'FOUND', redis.call('HMGET', KEYS[2], unpack(ARGV))}
