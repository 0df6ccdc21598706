-- Folds a prepared record: accepts each row that starts where its bucket's claim stands and holds nothing twice.
-- KEYS: 1 fences, 2 due, 3 due order, 4 in flight, 5 held; then the rows' hours hashes
-- ARGV: 1 start, 2 end, 3 usage fence, 4 identity
--       per row: identifier, bucket, field in its hours hash, from, to, minute, entry
local fences = redis.call('HMGET', KEYS[1], 'pushes', 'usage')
if not fences[1] then return {'EMPTY', ''} end
if fences[1] ~= ARGV[1] then
  return {tonumber(fences[1]) > tonumber(ARGV[1]) and 'STALE' or 'GAP', fences[1]}
end
if tonumber(fences[2] or '0') < tonumber(ARGV[3]) then return {'WAIT', fences[1]} end

local accepted, taken = {}, {}
for k = 6, #KEYS do
  local a = 5 + (k - 6) * 7
  local bucket, minute = ARGV[a + 1], ARGV[a + 5]
  local from, to = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local counted = tonumber(redis.call('HGET', KEYS[k], ARGV[a + 2]) or '0')
  local due = tonumber(redis.call('HGET', KEYS[2], bucket) or '0')
  local held = taken[bucket] or taken[minute] or redis.call('HMGET', KEYS[5], bucket, minute)
  if held ~= true and not held[1] and not held[2] and from == counted - due then
    if to > counted then return {'DIVERGED', fences[1]} end
    taken[bucket], taken[minute] = true, true
    accepted[#accepted + 1] = {a, bucket, minute, to - from, due}
  end
end

for _, row in ipairs(accepted) do
  local a, bucket, minute, units, due = unpack(row)
  redis.call('HSET', KEYS[4], ARGV[a], ARGV[a + 6])
  redis.call('HSET', KEYS[5], bucket, ARGV[a], minute, ARGV[a])
  if due == units then
    redis.call('HDEL', KEYS[2], bucket)
    redis.call('ZREM', KEYS[3], bucket)
  else
    redis.call('HINCRBY', KEYS[2], bucket, -units)
  end
end
redis.call('HSET', KEYS[1], 'pushes', ARGV[2], 'identity', ARGV[4])
return {'APPLIED', ARGV[2], #accepted}
