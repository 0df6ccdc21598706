-- Gives an empty shard its incarnation, and a log that was never folded its first fence. Returns the whole state.
-- A shard that is being cleared stays closed.
-- KEYS: 1 fences   ARGV: 1 incarnation, 2 fence field, 3 the log's earliest offset
if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then return 'CLEARING' end
redis.call('HSETNX', KEYS[1], 'incarnation', ARGV[1])
redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3])
return redis.call('HGETALL', KEYS[1])
