-- Moves a fence past offsets that a person has ordered to be passed by. The last record that was folded is forgotten:
-- whoever takes the log up again must not read from there across what may be unreadable.
-- KEYS: 1 fences   ARGV: 1 fence field, 2 start, 3 end, 4 how many records of the usage log that is
local fence = redis.call('HGET', KEYS[1], ARGV[1])
if not fence then return {'EMPTY', ''} end
if fence ~= ARGV[2] then
  return {tonumber(fence) > tonumber(ARGV[2]) and 'STALE' or 'GAP', fence}
end
if ARGV[4] ~= '0' then
  redis.call('HINCRBY', KEYS[1], 'read', ARGV[4])
  redis.call('HINCRBY', KEYS[1], 'quarantined', ARGV[4])
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('HDEL', KEYS[1], ARGV[1] .. '.last')
return {'APPLIED', ARGV[3]}
