-- Counts one batch of the usage log: check the fence, look up duplicates, count, advance.
-- KEYS: 1 fences, 2 due, 3 due order; then per group its set in each dedupe block, the current block first;
--       then the counters' hashes
-- ARGV: 1 start, 2 end, 3 highest append time, 4 last offset:time:crc, 5 dedupe block, 6 its sets,
--       7 read, 8 duplicates within the batch, 9 dead-lettered, 10 re-routed, 11 groups, 12 blocks, 13 counters,
--       14 reject window
--       per group: how many members, (u32 counter, u32 quantity) packed for each, the members
--       per counter: hours key, hours field, days key, days field, bucket, hour, units
local fence = redis.call('HGET', KEYS[1], 'usage')
if not fence then return {'EMPTY', ''} end
if fence ~= ARGV[1] then
  return {tonumber(fence) > tonumber(ARGV[1]) and 'STALE' or 'GAP', fence}
end

local groups, blocks, counters = tonumber(ARGV[11]), tonumber(ARGV[12]), tonumber(ARGV[13])
local key, arg, hits, taken, added = 4, 15, 0, {}, {}
for g = 1, groups do
  local count, corrections = tonumber(ARGV[arg]), ARGV[arg + 1]
  local first, last, known = arg + 2, arg + 1 + count, {}
  for b = 0, blocks - 1 do
    local found = redis.call('SMISMEMBER', KEYS[key + b], unpack(ARGV, first, last))
    for m = 1, count do
      if found[m] == 1 then known[m] = true end
    end
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

local remembered = 0
for g = 1, groups do
  if #added[g] > 0 then
    redis.call('SADD', KEYS[4 + (g - 1) * blocks], unpack(added[g]))
    remembered = remembered + #added[g]
  end
end
for c = 0, counters - 1 do
  local units = tonumber(ARGV[arg + 6]) - (taken[c] or 0)
  if units > 0 then
    redis.call('HINCRBY', KEYS[tonumber(ARGV[arg])], ARGV[arg + 1], units)
    redis.call('HINCRBY', KEYS[tonumber(ARGV[arg + 2])], ARGV[arg + 3], units)
    if redis.call('HINCRBY', KEYS[2], ARGV[arg + 4], units) == units then
      redis.call('ZADD', KEYS[3], ARGV[arg + 5], ARGV[arg + 4])
    end
  end
  arg = arg + 7
end
redis.call('HSETNX', KEYS[1], 'sets:' .. ARGV[5], ARGV[6])
redis.call('HINCRBY', KEYS[1], 'members:' .. ARGV[5], remembered)
redis.call('HINCRBY', KEYS[1], 'read', ARGV[7])
redis.call('HINCRBY', KEYS[1], 'duplicate', ARGV[8] + hits)
redis.call('HINCRBY', KEYS[1], 'dead', ARGV[9])
redis.call('HINCRBY', KEYS[1], 'rerouted', ARGV[10])
redis.call('HINCRBY', KEYS[1], 'counted', ARGV[7] - ARGV[8] - hits - ARGV[9] - ARGV[10])
redis.call('HSET', KEYS[1], 'usage', ARGV[2], 'high_ms', ARGV[3], 'rejects', ARGV[14])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'usage.last', ARGV[4]) end
return {'APPLIED', ARGV[2], hits}
