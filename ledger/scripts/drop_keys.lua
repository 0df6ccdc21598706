-- Removes some keys of what is older than is kept, unless the shard stands before the fence at which it was.
-- KEYS: 1 fences; then the keys   ARGV: 1 fence; then the fields of the fences hash that go with them
local fence = redis.call('HGET', KEYS[1], LOG)
if not fence or tonumber(fence) < tonumber(ARGV[1]) then return end
redis.call('UNLINK', unpack(KEYS, 2))
for a = 2, #ARGV do redis.call('HDEL', KEYS[1], ARGV[a]) end
