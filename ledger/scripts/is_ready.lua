-- Whether readers may see the shard: 1 or 0.
-- KEYS: 1 fences
local ready = redis.call('HGET', KEYS[1], 'ready')
return ready == string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') and 1 or 0
