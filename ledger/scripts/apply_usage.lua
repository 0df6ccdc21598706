-- Counts one batch of the usage log: check the fence, look up duplicates, count, advance.
-- KEYS: 1 fences, 2 due, 3 due order; then per group its set in each dedupe block, the current block first;
--       then an account's hours and days, a pair for each day
-- ARGV: 1 start, 2 end, 3 highest append time, 4 last offset:time:crc, 5 dedupe block, 6 its sets,
--       7 read, 8 duplicates within the batch, 9 dead-lettered, 10 re-routed, 11 groups, 12 blocks, 13 counters,
--       14 reject window
--       per group: how many members, (u32 counter, u32 quantity) packed for each, the members
--       per counter: place of its pair among KEYS, hours field, days field, bucket (which ends in its hour), units
local CHUNK, KEPT_SECONDS = 1000, 71 * 86400  -- due buckets at once: Lua unpacks some 8,000 values
local fence, closed_before = unpack(redis.call('HMGET', KEYS[1], 'usage', 'closed_before'))
if not fence then return {'EMPTY', ''} end
if fence ~= ARGV[1] then return {tonumber(fence) > tonumber(ARGV[1]) and 'STALE' or 'GAP', fence} end

local groups, blocks, counters = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local key, arg, hits, taken, added, buckets, dues = 4, 15, 0, {}, {}, {}, {}
for g = 1, groups do
  local count, corrections = tonumber(ARGV[arg]), ARGV[arg + 1]
  local first, last, known = arg + 2, arg + 1 + count, {}
  for b = 0, blocks - 1 do
    local found = redis.call('SMISMEMBER', KEYS[key + b], unpack(ARGV, first, last))
    for m = 1, count do known[m] = known[m] or found[m] == 1 end
  end
  local new = {}
  for m = 1, count do
    if known[m] then
      local counter, quantity = struct.unpack('<I4I4', corrections, (m - 1) * 8 + 1)
      taken[counter] = (taken[counter] or 0) + quantity
      hits = hits + 1
    else
      new[#new + 1] = ARGV[first + m - 1]
    end
  end
  added[g] = new
  key, arg = key + blocks, last + 1
end

for g = 1, groups do
  if #added[g] > 0 then redis.call('SADD', KEYS[4 + (g - 1) * blocks], unpack(added[g])) end
end
for c = 0, counters - 1 do
  local units = tonumber(ARGV[arg + 4]) - (taken[c] or 0)
  if units > 0 then
    local pair, bucket = tonumber(ARGV[arg]), ARGV[arg + 3]
    local new = redis.call('HINCRBY', KEYS[pair], ARGV[arg + 1], units) == units
    redis.call('HINCRBY', KEYS[pair + 1], ARGV[arg + 2], units)
    if new then for k = pair, pair + 1 do redis.call('EXPIRE', KEYS[k], KEPT_SECONDS) end end
    local hour = tonumber(bucket:match('%d+$'))
    if hour >= tonumber(closed_before or 0) then buckets[#buckets + 1], dues[#dues + 1] = bucket, units end
  end
  arg = arg + 5
end
for first = 1, #buckets, CHUNK do
  local last, sums = math.min(first + CHUNK - 1, #buckets), {}
  local held = redis.call('HMGET', KEYS[2], unpack(buckets, first, last))
  for b = first, last do
    local due = held[b - first + 1]
    sums[#sums + 1], sums[#sums + 2] = buckets[b], (due or 0) + dues[b]
    if not due then redis.call('ZADD', KEYS[3], buckets[b]:match('%d+$'), buckets[b]) end
  end
  redis.call('HSET', KEYS[2], unpack(sums))
end
local counted = ARGV[7] - ARGV[8] - hits - ARGV[9] - ARGV[10]
redis.call('HSETNX', KEYS[1], 'sets:' .. ARGV[5], ARGV[6])
redis.call('HINCRBY', KEYS[1], 'members:' .. ARGV[5], counted)
local fates = {read = ARGV[7], counted = counted, duplicate = ARGV[8] + hits, dead = ARGV[9], rerouted = ARGV[10]}
for fate, records in pairs(fates) do redis.call('HINCRBY', KEYS[1], fate, records) end
redis.call('HSET', KEYS[1], 'usage', ARGV[2], 'high_ms', ARGV[3], 'rejects', ARGV[14])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'usage.last', ARGV[4]) end
return {'APPLIED', ARGV[2], hits}
