-- Gives an empty shard its incarnation, and a log that was never folded its first fence. Returns the whole state.
-- KEYS: 1 fences   ARGV: 1 incarnation, 2 fence field, 3 the log's earliest offset
redis.call('HSETNX', KEYS[1], 'incarnation', ARGV[1])
redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
return redis.call('HGETALL', KEYS[1])
