-- One step over the accounts that have buckets set aside: how many there are, where to go on, and those whose record is
-- another one now.
-- KEYS: 1 fences, 2 records, 3 accounts   ARGV: 1 cursor, 2 how many to look at
local found, names, changed = redis.call('HSCAN', KEYS[2], ARGV[1], 'COUNT', ARGV[2]), {}, {}
for i = 1, #found[2], 2 do names[#names + 1] = found[2][i] end
local records = #names > 0 and redis.call('HMGET', KEYS[3], unpack(names)) or {}
for i, name in ipairs(names) do
  if (records[i] or '') ~= found[2][2 * i] then changed[#changed + 1] = name end
end
return {'FOUND', redis.call('HLEN', KEYS[2]), found[1], changed}
