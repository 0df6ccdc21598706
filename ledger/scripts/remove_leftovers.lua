-- Removes some keys of a shard that nobody has begun yet: 1, or 0 once somebody has.
-- KEYS: 1 fences; then the keys
if redis.call('HEXISTS', KEYS[1], 'incarnation') == 1 then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
return 1
