-- Sums an account's units per meter over whole days and single hours, while the shard is ready and the account's
-- record is still the one that the caller drew the period from.
-- KEYS: 1 fences, 2 accounts; then the hashes to read
-- ARGV: 1 account, 2 its record or '', 3 meters; the meters' indexes; then per hash: fields per meter, first, last
local fences = redis.call('HMGET', KEYS[1], 'ready', 'ready.as_of')
if fences[1] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') then return {'NOT_READY'} end
local record = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if record ~= ARGV[2] then return {'CHANGED', record} end
local meters, totals, reply = tonumber(ARGV[3]), {}, {'USAGE', fences[2]}
for k = 3, #KEYS do
  local arg = 4 + meters + (k - 3) * 3
  local fields, first, last = tonumber(ARGV[arg]), tonumber(ARGV[arg + 1]), tonumber(ARGV[arg + 2])
  local held = redis.call('HGETALL', KEYS[k])  -- one pass, where HMGET would be one for each field
  for i = 1, #held, 2 do
    local field = tonumber(held[i])
    local place = field % fields
    if place >= first and place <= last then
      local meter = (field - place) / fields
      totals[meter] = (totals[meter] or 0) + held[i + 1]
    end
  end
end
for m = 1, meters do reply[2 + m] = string.format('%.0f', totals[tonumber(ARGV[3 + m])] or 0) end
return reply
