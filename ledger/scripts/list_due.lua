-- The buckets with unclaimed units up to an hour, oldest first, while the shard is ready.
-- KEYS: 1 fences, 2 due order   ARGV: 1 last hour
local ready = redis.call('HGET', KEYS[1], 'ready')
if ready ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') then return {'NOT_READY'} end
return {'DUE', redis.call('ZRANGE', KEYS[2], '-inf', ARGV[1], 'BYSCORE')}
