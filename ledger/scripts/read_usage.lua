-- Sums an account's units per meter over whole days and single hours, while the shard is ready and the account's
-- record is still the one that the caller drew the period from. A caller who has read before is only told so while
-- nothing was counted in these months since: counters are a function of the log, so of the fence of the last change.
-- KEYS: 1 fences, 2 accounts; the months' days; then the hashes to read
-- ARGV: 1 account, 2 its record or '', 3 the version that was read before or '', 4 months, 5 meters; the meters'
--       indexes; per hash: fields per meter, first, last
local fences = redis.call('HMGET', KEYS[1], 'ready', 'ready.as_of', 'incarnation')
if fences[1] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') then return {'NOT_READY'} end
local record = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if record ~= ARGV[2] then return {'CHANGED', record} end
local months, meters, totals, version = tonumber(ARGV[4]), tonumber(ARGV[5]), {}, fences[3]
for k = 3, 2 + months do version = version .. ':' .. (redis.call('HGET', KEYS[k], 'fence') or '') end
if version == ARGV[3] then return {'SAME', fences[2]} end
for k = 3 + months, #KEYS do
  local arg = 6 + meters + (k - 3 - months) * 3
  local fields, first, last = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local held = redis.call('HGETALL', KEYS[k])  -- one pass, where HMGET would be one for each field
  for i = 1, #held, 2 do
    local field = tonumber(held[i])
    local place = field and field % fields
    if field and place >= first and place <= last then
      local meter = (field - place) / fields
      totals[meter] = (totals[meter] or 0) + held[i + 1]
    end
  end
end
local reply = {'USAGE', fences[2], version}
for m = 1, meters do reply[3 + m] = string.format('%.0f', totals[tonumber(ARGV[5 + m])] or 0) end
return reply
