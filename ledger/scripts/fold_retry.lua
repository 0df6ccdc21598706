-- Folds an order to retry: a parked row is in flight again. What it holds stays held.
-- KEYS: 1 fences, 2 in flight, 3 parked   ARGV: 1 start, 2 end, 3 mark, 4 identifier, 5 entry, '' if it isn't parked
local found = ARGV[5] ~= '' and redis.call('HDEL', KEYS[3], ARGV[4]) or 0
if found == 1 then redis.call('HSET', KEYS[2], ARGV[4], ARGV[5]) end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'pushes.last', ARGV[3])
return {'APPLIED', ARGV[2], found}
