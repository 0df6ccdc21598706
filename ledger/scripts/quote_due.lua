-- What planning needs of some due buckets, at one moment.
-- KEYS: 1 fences, 2 due, 3 accounts; then the buckets' hours hashes
-- ARGV: per bucket: account, bucket, field in its hours hash
if unsafe then return {'NOT_READY'} end
local reply = {'QUOTED', redis.call('HGET', KEYS[1], 'usage')}
for k = 4, #KEYS do
  local arg = (k - 4) * 3 + 1
  reply[#reply + 1] = {
    redis.call('HGET', KEYS[k], ARGV[arg + 2]) or '0',
    redis.call('HGET', KEYS[2], ARGV[arg + 1]) or '0',
    redis.call('HGET', KEYS[3], ARGV[arg]) or ''
  }
end
return reply
