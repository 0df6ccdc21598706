-- One step over the keys of the shard's server: its replication id, where to go on, and the shard's names that match.
-- KEYS: 1 fences   ARGV: 1 cursor, 2 pattern of what follows the shard's tag, 3 how many keys to look at
local found = redis.call('SCAN', ARGV[1], 'MATCH', string.sub(KEYS[1], 1, -2) .. ARGV[2], 'COUNT', ARGV[3])
return {master, found[1], found[2]}
