-- Takes a shard's fences, incarnation and ready marks away at once: only the mark of its clearing stays. No log has
-- a fence then, so every fold answers EMPTY and every reader NOT_READY; and no shard is opened that has the mark.
-- KEYS: 1 fences   ARGV: 1 the clearing's nonce, 2 Unix milliseconds
local since = redis.call('HGET', KEYS[1], 'clearing.since') or ARGV[2]
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'clearing', ARGV[1], 'clearing.since', since)
