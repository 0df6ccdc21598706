-- Sums an account's units per meter in several slots of time; what Stripe has accepted in them, and how much of that
-- was carried forward (nothing while the push log is not ready). Answers while the account's record is the one that the
-- slots were drawn from.
-- KEYS: 1 fences, 2 accounts; the hashes of counters; the hashes of accepted units, by day
-- ARGV: 1 account, 2 its record or '', 3 meters, 4 slots, 5 hashes of counters; the meters' indexes;
--       per hash of counters: slot, fields per meter, first, last; the minutes between which accepted slots lie
local as_of, push_ready = unpack(redis.call('HMGET', KEYS[1], 'ready.as_of', 'push_ready'))
local record = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if record ~= ARGV[2] then return {'CHANGED', record} end

local meters, slots, hashes = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function zeros(count)
  local sums = {}
  for i = 1, count do sums[i] = 0 end
  return sums
end
local function texts(sums)
  local found = {}
  for i = 1, #sums do found[i] = total(sums, i) end
  return found
end

local units, place = zeros(slots * meters), {}
for m = 1, meters do place[ARGV[5 + m]] = m end
for k = 1, hashes do
  local arg = 2 + meters + k * 4
  local slot, first, last, fields = tonumber(ARGV[arg]), tonumber(ARGV[arg + 2]), tonumber(ARGV[arg + 3]), {}
  for m = 1, meters do
    for field = first, last do fields[#fields + 1] = ARGV[5 + m] * ARGV[arg + 1] + field end
  end
  for i, found in ipairs(redis.call('HMGET', KEYS[2 + k], unpack(fields))) do
    local at = slot * meters + 1 + math.floor((i - 1) / (last - first + 1))
    if found then plus(units, at, found) end
  end
end
if push_ready ~= master then return {'HISTORY', as_of, texts(units)} end

local cuts = {}
for arg = 6 + meters + hashes * 4, #ARGV do cuts[#cuts + 1] = tonumber(ARGV[arg]) end
local accepted, carried = zeros(math.max(#cuts - 1, 0) * meters), zeros(math.max(#cuts - 1, 0) * meters)
for k = 3 + hashes, #KEYS do
  local found = redis.call('HGETALL', KEYS[k])
  for i = 1, #found, 2 do
    local carry, meter, minute = string.match(found[i], '^(c?)|?(%d+)|(%d+)')
    local m, at, slot, sums = place[meter or ''], tonumber(minute or -1), 1, carry == 'c' and carried or accepted
    if m and at >= cuts[1] then
      while cuts[slot + 1] and at >= cuts[slot + 1] do slot = slot + 1 end
      local sum = (slot - 1) * meters + m
      if slot < #cuts then plus(sums, sum, found[i + 1]) end
    end
  end
end
return {'HISTORY', as_of, texts(units), texts(accepted), texts(carried)}
