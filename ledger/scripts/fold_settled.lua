-- Folds a settled record: rows in flight become accepted by Stripe, or parked.
-- KEYS: 1 fences, 2 in flight, 3 parked, 4 held; then the rows' accepted hashes
-- ARGV: 1 start, 2 end, 3 mark or '' for no record
--       per row: identifier, bucket, minute, units, field of carried units or '', parked entry or ''
local settled = 0
for k = 5, #KEYS do
  local a = 4 + (k - 5) * 6
  if redis.call('HDEL', KEYS[2], ARGV[a]) == 1 then
    settled = settled + 1
    if ARGV[a + 5] == '' then
      redis.call('HDEL', KEYS[4], ARGV[a + 1], ARGV[a + 2])
      redis.call('HINCRBY', KEYS[k], ARGV[a + 2], ARGV[a + 3])
      if ARGV[a + 4] ~= '' then redis.call('HINCRBY', KEYS[k], ARGV[a + 4], ARGV[a + 3]) end
    else
      redis.call('HSET', KEYS[3], ARGV[a], ARGV[a + 5])
    end
  end
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'pushes.last', ARGV[3]) end
return {'APPLIED', ARGV[2], settled}
