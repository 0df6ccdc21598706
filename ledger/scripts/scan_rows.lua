-- One step over all unresolved rows of a hash: where the fold of the push log stands, where to go on, the rows.
-- KEYS: 1 fences, 2 in flight or parked   ARGV: 1 cursor, 2 how many to look at
local found = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2])
return {redis.call('HGET', KEYS[1], 'pushes') or '', found[1], found[2]}
