-- Counts one batch of the usage log: look up duplicates, count, advance.
-- KEYS: 1 fences, 2 due, 3 due order; per group its set in each block, newest first; per account and day hours, days
-- ARGV: 1 start, 2 end, 3 highest append time, 4 last offset:time:crc, 5 dedupe block, 6 its sets, 7 read, 8 repeated
--       within the batch, 9 dead-lettered, 10 re-routed, 11 groups, 12 blocks, 13 counters, 14 accounts' days,
--       15 reject window, 16 (f64 units, f64 hour) packed for each counter, the bucket of each
--       per group: (u32 counter, u32 quantity) packed for each member, the members
--       per account and day: (u32 counter, u16 field of the hours, u16 field of the days) packed for each, in order
local CHUNK, EXACT = 1000, 2^53  -- Lua unpacks some 8,000 values at once; beyond 2^53 its numbers are not exact
local open = tonumber(redis.call('HGET', KEYS[1], 'closed_before') or 0)
local groups, blocks, counters, account_days = unpack(ARGV, 11, 14)
local key, arg, hits, units, hours = 4, 17 + counters, 0, {}, {}
for c = 1, counters do units[c], hours[c] = struct.unpack('<dd', ARGV[16], c * 16 - 15) end
for _ = 1, groups do
  local corrections, known, new = ARGV[arg], {}, {}
  local count, alone = #corrections / 8, #corrections == 8  -- as most are in a small batch: to add is to look up
  for k = key + (alone and 1 or 0), key + blocks - 1 do
    local found = redis.call('SMISMEMBER', KEYS[k], unpack(ARGV, arg + 1, arg + count))
    for m = 1, count do known[m] = known[m] or found[m] == 1 end
  end
  known[1] = known[1] or alone and redis.call('SADD', KEYS[key], ARGV[arg + 1]) == 0
  for m = 1, count do
    if known[m] then
      local c, quantity = struct.unpack('<I4I4', corrections, m * 8 - 7)
      units[c], hits = units[c] - quantity, hits + 1
    else new[#new + 1] = ARGV[arg + m] end
  end
  if #new > 0 and not alone then redis.call('SADD', KEYS[key], unpack(new)) end
  key, arg = key + blocks, arg + 1 + count
end
local n, due, order, fields, sums = 0, {}, {}, {}, {[-1] = 'fence', [0] = ARGV[2]}  -- one for all hashes is cheaper
local function add(k, n, from)  -- the first n sums, to one hash; gives which it did not have; from -1: with the fence
  if n == 1 and from == 1 then return redis.call('HINCRBY', KEYS[k], fields[1], sums[2]) == sums[2] and {1} or {} end
  local held, new = redis.call('HMGET', KEYS[k], unpack(fields, 1, n)), {}
  for f = 1, n do
    local sum = sums[2 * f] + (held[f] or 0)
    local large = sum >= EXACT and redis.call('HINCRBY', KEYS[k], fields[f], sums[2 * f])
    if large then sum = redis.call('HGET', KEYS[k], fields[f]) end
    sums[2 * f - 1], sums[2 * f] = fields[f], sum
    if not held[f] then new[#new + 1] = f end
  end
  redis.call('HSET', KEYS[k], unpack(sums, from, 2 * n))
  return new
end
for h = 0, 2 * account_days - 1 do
  local packed, month, n = ARGV[arg], h % 2, 0
  for place = 1, #packed, 8 do
    local c, field = struct.unpack(month == 0 and '<I4I2' or '<I4xxI2', packed, place)
    if units[c] > 0 then
      if fields[n] ~= field then n = n + 1; fields[n], sums[2 * n] = field, 0 end
      sums[2 * n] = sums[2 * n] + units[c]
    end
  end
  if n > 0 then add(key, n, 1 - 2 * month) end
  key, arg = key + 1, arg + month
end
for c = 1, counters do
  if units[c] > 0 and hours[c] >= open then n = n + 1; due[n], fields[n], sums[2 * n] = c, ARGV[16 + c], units[c] end
  if n == CHUNK or n > 0 and c == #units then
    for _, f in ipairs(add(2, n, 1)) do order[#order + 1], order[#order + 2] = hours[due[f]], fields[f] end
    if #order > 0 then redis.call('ZADD', KEYS[3], unpack(order)) end
    n, order = 0, {}
  end
end
local counted = ARGV[7] - ARGV[8] - hits - ARGV[9] - ARGV[10]
redis.call('HINCRBY', KEYS[1], 'members:' .. ARGV[5], counted)
local fates = {read = ARGV[7], counted = counted, duplicate = ARGV[8] + hits, dead = ARGV[9], rerouted = ARGV[10]}
for fate, records in pairs(fates) do redis.call('HINCRBY', KEYS[1], fate, records) end
redis.call('HSET', KEYS[1], 'usage', ARGV[2], 'high_ms', ARGV[3], 'rejects', ARGV[15], 'sets:' .. ARGV[5], ARGV[6])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'usage.last', ARGV[4]) end
return {'APPLIED', ARGV[2], hits}
