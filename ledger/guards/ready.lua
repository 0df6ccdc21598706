-- Readers may see a shard only while its mark names this very server. Behind `master`.
-- KEYS: 1 fences
if redis.call('HGET', KEYS[1], 'ready') ~= master then return {'NOT_READY'} end
