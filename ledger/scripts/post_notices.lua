-- Replaces what a shard's worker has to say to a person.
-- KEYS: 1 fences, 2 notices   ARGV: 1 seconds to keep them; then name, text each
redis.call('DEL', KEYS[2])
if #ARGV > 1 then
  redis.call('HSET', KEYS[2], unpack(ARGV, 2))
  redis.call('EXPIRE', KEYS[2], ARGV[1])
end
return 1
