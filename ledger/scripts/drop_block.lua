-- Forgets some sets of an expired dedupe block, unless the shard stands before the fence at which it expired.
-- KEYS: 1 fences; then the sets   ARGV: 1 fence, 2 block if these are its last sets, else ''
local fence = redis.call('HGET', KEYS[1], 'usage')
if not fence or tonumber(fence) < tonumber(ARGV[1]) then return end
redis.call('UNLINK', unpack(KEYS, 2))
if ARGV[2] ~= '' then redis.call('HDEL', KEYS[1], 'sets:' .. ARGV[2], 'members:' .. ARGV[2]) end
