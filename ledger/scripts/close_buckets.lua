-- Closes the buckets before an hour, for what a cut log has lost: once for each log, since rows are folded by it.
-- KEYS: 1 fences   ARGV: 1 incarnation, 2 fence field of the log, 3 hour
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[1] then return end
if redis.call('HEXISTS', KEYS[1], ARGV[2] .. '.cut') == 0 then return end
if redis.call('HSETNX', KEYS[1], ARGV[2] .. '.closed', ARGV[3]) == 0 then return end
local closed_before = tonumber(redis.call('HGET', KEYS[1], 'closed_before') or '0')
redis.call('HSET', KEYS[1], 'closed_before', math.max(closed_before, ARGV[3]))
