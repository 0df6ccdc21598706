-- Sums an account's units per meter over whole days and single hours, while its record is still the one that the caller
-- drew the period from. A caller who has read before is only told so while nothing was counted in these months since:
-- counters are a function of the log, so of the fence of the last change.
-- KEYS: 1 fences, 2 accounts; the months' days; then the hashes to read
-- ARGV: 1 account, 2 its record or '', 3 the version that was read before or '', 4 months, 5 meters; the meters'
--       indexes; per hash: fields per meter, first, last
local as_of, version = unpack(redis.call('HMGET', KEYS[1], 'ready.as_of', 'incarnation'))
local record = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if record ~= ARGV[2] then return {'CHANGED', record} end
local months, meters, totals = tonumber(ARGV[4]), tonumber(ARGV[5]), {}
for k = 3, 2 + months do version = version .. ':' .. (redis.call('HGET', KEYS[k], 'fence') or '') end
if version == ARGV[3] then return {'SAME', as_of} end
for k = 3 + months, #KEYS do
  local arg = 6 + meters + (k - 3 - months) * 3
  local fields, first, last = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local held = redis.call('HGETALL', KEYS[k])  -- one pass, where HMGET would be one for each field
  for i = 1, #held, 2 do
    local field = tonumber(held[i])
    local place = field and field % fields
    if field and place >= first and place <= last then
      local at = (field - place) / fields + 1
      local sum = (totals[at] or 0) + held[i + 1]
      if sum < ALONE then totals[at] = sum else plus(totals, at, held[i + 1]) end
    end
  end
end
local reply = {'USAGE', as_of, version}
for m = 1, meters do
  local at = ARGV[5 + m] + 1
  reply[3 + m] = totals[at] and total(totals, at) or '0'
end
return reply
