-- Some accounts' records, while the shard is ready: a table that is being folded lacks what it will have.
-- KEYS: 1 fences, 2 accounts   ARGV: accounts
local ready = redis.call('HGET', KEYS[1], 'ready')
if ready ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') then return {'NOT_READY'} end
return {'FOUND', redis.call('HMGET', KEYS[2], unpack(ARGV))}
