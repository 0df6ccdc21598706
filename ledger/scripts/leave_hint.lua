-- KEYS: 1 fences, 2 hints   ARGV: 1 meter, 2 seconds to keep it
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
