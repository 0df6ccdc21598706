-- The server's replication id and the shard's incarnation: what a ready mark will be checked against.
-- KEYS: 1 fences
local replication = redis.call('INFO', 'replication')
return {string.match(replication, 'master_replid:(%x+)'), redis.call('HGET', KEYS[1], 'incarnation') or ''}
