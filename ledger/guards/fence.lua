-- Records are folded if the shard stands where they begin, on a server that keeps what it is given.
-- LOG is the fence's field.
-- KEYS: 1 fences   ARGV: 1 start
local fence, unsafe = unpack(redis.call('HMGET', KEYS[1], LOG, 'unsafe'))
if not fence then return {'EMPTY', ''} end
if unsafe then return {'UNSAFE', fence} end
if fence ~= ARGV[1] then return {tonumber(fence) > tonumber(ARGV[1]) and 'STALE' or 'GAP', fence} end
