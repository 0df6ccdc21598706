-- Gives an empty shard its incarnation, and a log that was never folded its first fence. Returns the whole state.
-- A shard that is being cleared stays closed. A log whose head is gone closes old buckets.
-- KEYS: 1 fences   ARGV: 1 incarnation, 2 fence field, 3 the log's earliest offset, 4 hour before which to close or 0
if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then return 'CLEARING' end
redis.call('HSETNX', KEYS[1], 'incarnation', ARGV[1])
local new = redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 1
if new and ARGV[3] ~= '0' and ARGV[4] ~= '0' then
  local closed_before = tonumber(redis.call('HGET', KEYS[1], 'closed_before') or '0')
  redis.call('HSET', KEYS[1], ARGV[2] .. '.cut', ARGV[3], 'closed_before', math.max(closed_before, ARGV[4]))
end
return redis.call('HGETALL', KEYS[1])
