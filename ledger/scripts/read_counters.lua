-- Some hashes of counters, and where the shard stands at that very moment.
-- KEYS: 1 fences; then the hashes
local reply = {redis.call('HGETALL', KEYS[1])}
for k = 2, #KEYS do reply[k] = redis.call('HGETALL', KEYS[k]) end
return reply
