-- Folds an order to reissue: another row takes a parked one's place, unless its minute is held by a third.
-- KEYS: 1 fences, 2 in flight, 3 parked, 4 held, 5 ended
-- ARGV: 1 start, 2 end, 3 mark, 4 old identifier, '' if it may not be replaced, 5 old minute
--       6 identifier, 7 bucket, 8 minute, 9 entry
local free = ARGV[5] == ARGV[8] or redis.call('HEXISTS', KEYS[4], ARGV[8]) == 0
local found = ARGV[4] ~= '' and free and redis.call('HDEL', KEYS[3], ARGV[4]) or 0
if found == 1 then
  redis.call('HDEL', KEYS[4], ARGV[5])
  redis.call('HSET', KEYS[4], ARGV[7], ARGV[6], ARGV[8], ARGV[6])
  redis.call('HSET', KEYS[2], ARGV[6], ARGV[9])
  redis.call('SADD', KEYS[5], ARGV[4])
  redis.call('SREM', KEYS[5], ARGV[6])
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'pushes.last', ARGV[3])
return {'APPLIED', ARGV[2], found}
