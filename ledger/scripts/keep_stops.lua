-- Notes which logs of a shard are stopped, and forgets what was noted of the others. A shard that is being cleared has
-- nothing but the mark of that.
-- KEYS: 1 fences   ARGV: field, text or '' each
if redis.call('HEXISTS', KEYS[1], 'clearing') == 1 then return end
for a = 1, #ARGV, 2 do
  if ARGV[a + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[a])
  else
    redis.call('HSET', KEYS[1], ARGV[a], ARGV[a + 1])
  end
end
