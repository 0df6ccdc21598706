-- Folds an order to park: units that were delivered are accepted no more, and their row waits, unless the row ended
-- otherwise, or what it would hold is held.
-- KEYS: 1 fences, 2 parked, 3 held, 4 ended, 5 accepted
-- ARGV: 1 start, 2 end, 3 mark, 4 identifier, 5 bucket, 6 minute, 7 units, 8 field of carried units or '',
--       9 entry, '' if the order came too early
local held = redis.call('HMGET', KEYS[3], ARGV[5], ARGV[6])
local ended = redis.call('SISMEMBER', KEYS[4], ARGV[4]) == 1
local lacks = minus(redis.call('HGET', KEYS[5], ARGV[6]) or '0', ARGV[7], '0') < 0
local parked = 0
if ARGV[9] ~= '' and not ended and not held[1] and not held[2] and not lacks then
  parked = 1
  redis.call('HINCRBY', KEYS[5], ARGV[6], '-' .. ARGV[7])
  if ARGV[8] ~= '' then redis.call('HINCRBY', KEYS[5], ARGV[8], '-' .. ARGV[7]) end
  redis.call('HSET', KEYS[2], ARGV[4], ARGV[9])
  redis.call('HSET', KEYS[3], ARGV[5], ARGV[4], ARGV[6], ARGV[4])
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'pushes.last', ARGV[3])
return {'APPLIED', ARGV[2], parked}
