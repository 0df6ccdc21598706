-- Folds a prepared record: accepts each row that starts where its bucket's claim stands and holds nothing twice.
-- A closed bucket's claim is what the rows before it say: the count has lost some of its units.
-- KEYS: 1 fences, 2 due, 3 due order, 4 in flight, 5 held, 6 aside; then per row its hours hash, its closed claims
-- ARGV: 1 start, 2 end, 3 mark, 4 usage fence, 5 identity
--       per row: identifier, bucket, hour, field in its hours hash, from, to, units, minute, entry
local usage, closed_before, cut, decided, usage_cut, usage_decided = unpack(redis.call('HMGET', KEYS[1], 'usage',
  'closed_before', 'pushes.cut', 'pushes.closed', 'usage.cut', 'usage.closed'))
if tonumber(usage or '0') < tonumber(ARGV[4]) then return {'WAIT', fence} end
if cut and not decided or usage_cut and not usage_decided then return {'WAIT', fence} end  -- what is closed?

local accepted, taken = {}, {}
for k = 7, #KEYS, 2 do
  local _, bucket, hour, field, from, to, units, minute = unpack(ARGV, 6 + (k - 7) / 2 * 9, 13 + (k - 7) / 2 * 9)
  local counted = redis.call('HGET', KEYS[k], field) or '0'
  local due = redis.call('HGET', KEYS[2], bucket) or '0'
  local closed, fits = tonumber(hour) < tonumber(closed_before or 0), minus(counted, due, from) == 0
  if closed then fits = from == (redis.call('HGET', KEYS[k + 1], field) or cut and from or '0') end
  local held = taken[bucket] or taken[minute] or redis.call('HMGET', KEYS[5], bucket, minute)
  if held ~= true and not held[1] and not held[2] and fits then
    if minus(counted, to, '0') < 0 and not closed then return {'DIVERGED', fence} end
    taken[bucket], taken[minute] = true, true
    accepted[#accepted + 1] = {k, closed, due}
  end
end

for _, row in ipairs(accepted) do
  local k, closed, due = unpack(row)
  local a = 6 + (k - 7) / 2 * 9
  local identifier, bucket, _, field, _, to, units, minute, entry = unpack(ARGV, a, a + 8)
  redis.call('HSET', KEYS[4], identifier, entry)
  redis.call('HSET', KEYS[5], bucket, identifier, minute, identifier)
  if closed then
    redis.call('HSET', KEYS[k + 1], field, to)
  elseif due ~= units then
    redis.call('HINCRBY', KEYS[2], bucket, '-' .. units)
  end
  if closed or due == units then
    redis.call('HDEL', KEYS[2], bucket)
    redis.call('ZREM', KEYS[3], bucket)
    redis.call('ZREM', KEYS[6], bucket)
  end
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'pushes.last', ARGV[3], 'identity', ARGV[5])
return {'APPLIED', ARGV[2], #accepted}
