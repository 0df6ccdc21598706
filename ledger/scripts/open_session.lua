-- KEYS: 1 fences, 2 session   ARGV: 1 key's hash, 2 seconds that it lasts
redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[2])
return 1
