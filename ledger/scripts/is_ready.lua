-- Up to when the shard is known to be complete.
-- KEYS: 1 fences
return {'READY', redis.call('HGET', KEYS[1], 'ready.as_of')}
