-- One step over the buckets that are due, ready or not.
-- KEYS: 1 fences, 2 due   ARGV: 1 cursor, 2 how many to look at
return redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
