-- KEYS: 1 fences, 2 beats   ARGV: 1 seconds until it is forgotten
redis.call('SET', KEYS[2], 1, 'EX', ARGV[1])
return 1
