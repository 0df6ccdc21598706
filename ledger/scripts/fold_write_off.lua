-- Folds an order to write off: a parked row is gone, and what it held is free. Its units stay claimed.
-- KEYS: 1 fences, 2 parked, 3 held, 4 ended   ARGV: 1 start, 2 end, 3 mark, 4 identifier, 5 bucket, 6 minute
local found = redis.call('HDEL', KEYS[2], ARGV[4])
if found == 1 then
  redis.call('HDEL', KEYS[3], ARGV[5], ARGV[6])
  redis.call('SADD', KEYS[4], ARGV[4])
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'pushes.last', ARGV[3])
return {'APPLIED', ARGV[2], found}
