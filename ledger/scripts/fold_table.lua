-- Applies one batch of a compacted log (accounts, API keys) to its hash.
-- KEYS: 1 fences, 2 table   ARGV: 1 fence field, 2 start, 3 end, 4 last offset:time:crc; then name, value or '' each
local fence = redis.call('HGET', KEYS[1], ARGV[1])
if not fence then return {'EMPTY', ''} end
if fence ~= ARGV[2] then
  return {tonumber(fence) > tonumber(ARGV[2]) and 'STALE' or 'GAP', fence}
end
for a = 5, #ARGV, 2 do
  if ARGV[a + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[a])
  else
    redis.call('HSET', KEYS[2], ARGV[a], ARGV[a + 1])
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], ARGV[1] .. '.last', ARGV[4]) end
return {'APPLIED', ARGV[3]}
