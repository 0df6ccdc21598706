-- Removes the mark, while the clearing is still the caller's, so that the shard can be opened again: 1 or 0.
-- KEYS: 1 fences   ARGV: 1 the clearing's nonce
if redis.call('HGET', KEYS[1], 'clearing') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
