-- Forgets a dedupe block that no look-up needs any more.
-- KEYS: 1 fences; then the block's sets   ARGV: 1 block
redis.call('UNLINK', unpack(KEYS, 2))
redis.call('HDEL', KEYS[1], 'sets:' .. ARGV[1], 'members:' .. ARGV[1])
