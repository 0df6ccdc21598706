-- The buckets with unclaimed units up to an hour, oldest first.
-- KEYS: 1 fences, 2 due order   ARGV: 1 last hour
return redis.call('ZRANGE', KEYS[2], '-inf', ARGV[1], 'BYSCORE')
