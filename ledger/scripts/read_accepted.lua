-- KEYS: 1 fences, 2 accepted   ARGV: 1 minute
return redis.call('HGET', KEYS[2], ARGV[1]) or '0'
