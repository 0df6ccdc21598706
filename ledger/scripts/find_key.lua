-- Looks an API key's hash up in its own shard, so that a valid key never reads as unknown.
-- KEYS: 1 fences, 2 API keys   ARGV: 1 hash
local record = redis.call('HGET', KEYS[2], ARGV[1])
if not record then return {'UNKNOWN'} end
return {'FOUND', record}
