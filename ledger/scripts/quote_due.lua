-- What planning needs of some due buckets, at one moment, while the shard is ready.
-- KEYS: 1 fences, 2 due, 3 accounts, 4 held; then the buckets' hours hashes
-- ARGV: per bucket: account, bucket, field in its hours hash
local fences = redis.call('HMGET', KEYS[1], 'ready', 'usage')
if fences[1] ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') then return {'NOT_READY'} end
local reply = {'QUOTED', fences[2], redis.call('HKEYS', KEYS[4])}
for k = 5, #KEYS do
  local arg = (k - 5) * 3 + 1
  reply[#reply + 1] = {
    redis.call('HGET', KEYS[k], ARGV[arg + 2]) or '0',
    redis.call('HGET', KEYS[2], ARGV[arg + 1]) or '0',
    redis.call('HGET', KEYS[3], ARGV[arg]) or ''
  }
end
return reply
