-- Gives an empty shard its incarnation, and a log that was never folded its first fence. Returns the whole state.
-- A shard that is being cleared stays closed; one without fences is begun once nothing else is left of it (EMPTY).
-- A log whose head retention has cut is noted as such.
-- KEYS: 1 fences
-- ARGV: 1 incarnation, 2 fence field, 3 the log's earliest offset, 4 '1' for a log that may be cut, 5 1 if nothing is
--       left
if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then return 'CLEARING' end
if unsafe then return {'UNSAFE', unsafe, redis.call('HGET', KEYS[1], ARGV[2]) or ARGV[3]} end
if not incarnation and ARGV[5] ~= '1' then return 'EMPTY' end
if not incarnation then redis.call('HSET', KEYS[1], 'incarnation', ARGV[1], 'evicted', seen) end
local new = redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 1
if new and ARGV[3] ~= '0' and ARGV[4] == '1' then redis.call('HSET', KEYS[1], ARGV[2] .. '.cut', ARGV[3]) end
return redis.call('HGETALL', KEYS[1])
