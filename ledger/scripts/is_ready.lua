-- Up to when the shard is known to be complete, if readers may see it; else nothing.
-- KEYS: 1 fences
local fences = redis.call('HMGET', KEYS[1], 'ready', 'ready.as_of')
return fences[1] == string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') and fences[2]
