-- Applies one batch of a compacted log (accounts, API keys) to its hash. One that was read so late that what was removed
-- may be missing from it is OUTDATED.
-- KEYS: 1 fences, 2 table
-- ARGV: 1 start, 2 end, 3 last offset:time:crc, 4 when it was read, 5 how long the log tells all (ms); then name, value
--       or '' each
local since, as_of = unpack(redis.call('HMGET', KEYS[1], LOG .. '.since', 'ready.as_of'))
if ARGV[4] - math.max(since or 0, as_of or 0) >= tonumber(ARGV[5]) then return {'OUTDATED', fence} end
for a = 6, #ARGV, 2 do
  if ARGV[a + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[a])
  else
    redis.call('HSET', KEYS[2], ARGV[a], ARGV[a + 1])
  end
end
redis.call('HSET', KEYS[1], LOG, ARGV[2])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], LOG .. '.last', ARGV[3]) end
return {'APPLIED', ARGV[2]}
