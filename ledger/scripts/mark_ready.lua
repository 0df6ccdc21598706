-- Sets a ready mark if the shard is still the one that was noted and its fences have reached the noted ends.
-- KEYS: 1 fences   ARGV: 1 ready field, 2 replication id, 3 incarnation, 4 as of; then fence field, end each
local replication = redis.call('INFO', 'replication')
if string.match(replication, 'master_replid:(%x+)') ~= ARGV[2] then return 'CHANGED' end
if redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[3] then return 'CHANGED' end
for a = 5, #ARGV, 2 do
  local fence = redis.call('HGET', KEYS[1], ARGV[a])
  if not fence or tonumber(fence) < tonumber(ARGV[a + 1]) then return 'BEHIND' end
end
local as_of = redis.call('HGET', KEYS[1], ARGV[1] .. '.as_of')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if not as_of or tonumber(as_of) < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[1], ARGV[1] .. '.as_of', ARGV[4])
end
return 'READY'
