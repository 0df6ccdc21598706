-- Removes some keys of a shard, while the clearing is still the caller's: 1 or 0.
-- KEYS: 1 fences; then the keys   ARGV: 1 the clearing's nonce
if redis.call('HGET', KEYS[1], 'clearing') ~= ARGV[1] then return 0 end
redis.call('UNLINK', unpack(KEYS, 2))
return 1
