-- Notes up to where the rejects of the usage log are to drain into the dead letters, if the shard still stands where it
-- was seen: 1 or 0. What was rejected before that is forgotten: it must not be held against what comes behind.
-- KEYS: 1 fences   ARGV: 1 the usage log's fence, 2 the order
if redis.call('HGET', KEYS[1], 'usage') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'drain', ARGV[2], 'rejects', '')
return 1
