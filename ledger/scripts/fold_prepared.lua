-- Folds a prepared record: accepts each row that starts where its bucket's claim stands and holds nothing twice.
-- A closed bucket's claim is what the rows before it say: the count has lost some of its units.
-- KEYS: 1 fences, 2 due, 3 due order, 4 in flight, 5 held; then per row its hours hash, its closed claims
-- ARGV: 1 start, 2 end, 3 mark, 4 seconds that closed claims are kept, 5 usage fence, 6 identity
--       per row: identifier, bucket, hour, field in its hours hash, from, to, minute, entry
local fences = redis.call('HMGET', KEYS[1], 'pushes', 'usage', 'closed_before', 'pushes.cut')
if not fences[1] then return {'EMPTY', ''} end
if fences[1] ~= ARGV[1] then
  return {tonumber(fences[1]) > tonumber(ARGV[1]) and 'STALE' or 'GAP', fences[1]}
end
if tonumber(fences[2] or '0') < tonumber(ARGV[5]) then return {'WAIT', fences[1]} end

local closed_before, accepted, taken = tonumber(fences[3] or '0'), {}, {}
for k = 6, #KEYS, 2 do
  local a = 7 + (k - 6) * 4
  local bucket, field, minute = ARGV[a + 1], ARGV[a + 3], ARGV[a + 6]
  local from, to = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5])
  local counted = tonumber(redis.call('HGET', KEYS[k], field) or '0')
  local due = tonumber(redis.call('HGET', KEYS[2], bucket) or '0')
  local closed, claimed = tonumber(ARGV[a + 2]) < closed_before, counted - due
  if closed then claimed = tonumber(redis.call('HGET', KEYS[k + 1], field) or (fences[4] and from or '0')) end
  local held = taken[bucket] or taken[minute] or redis.call('HMGET', KEYS[5], bucket, minute)
  if held ~= true and not held[1] and not held[2] and from == claimed then
    if to > counted and not closed then return {'DIVERGED', fences[1]} end
    taken[bucket], taken[minute] = true, true
    accepted[#accepted + 1] = {k, closed, to - from, due}
  end
end

for _, row in ipairs(accepted) do
  local k, closed, units, due = unpack(row)
  local a = 7 + (k - 6) * 4
  local bucket = ARGV[a + 1]
  redis.call('HSET', KEYS[4], ARGV[a], ARGV[a + 7])
  redis.call('HSET', KEYS[5], bucket, ARGV[a], ARGV[a + 6], ARGV[a])
  if closed then
    redis.call('HSET', KEYS[k + 1], ARGV[a + 3], ARGV[a + 5])
    redis.call('EXPIRE', KEYS[k + 1], ARGV[4])
  elseif due ~= units then
    redis.call('HINCRBY', KEYS[2], bucket, -units)
  end
  if closed or due == units then
    redis.call('HDEL', KEYS[2], bucket)
    redis.call('ZREM', KEYS[3], bucket)
  end
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'pushes.last', ARGV[3], 'identity', ARGV[6])
return {'APPLIED', ARGV[2], #accepted}
