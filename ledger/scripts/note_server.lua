-- The server's replication id and the shard's incarnation: what a ready mark will be checked against.
-- KEYS: 1 fences
return {master, redis.call('HGET', KEYS[1], 'incarnation') or ''}
