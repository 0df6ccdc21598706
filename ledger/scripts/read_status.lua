-- A shard at one moment: the server's replication id, how much is due, in flight and parked, the fences, and what makes
-- its server refuse writes ('' for nothing that it tells of). Behind `master`.
-- KEYS: 1 fences, 2 due, 3 in flight, 4 parked
local info = redis.call('INFO', 'memory', 'persistence')
local used, most = string.match(info, 'used_memory:(%d+)'), string.match(info, 'maxmemory:(%d+)')
local refuses = ''
if tonumber(most or 0) > 0 and tonumber(used) >= tonumber(most) then refuses = 'maxmemory'
elseif string.match(info, 'rdb_last_bgsave_status:err') then refuses = 'snapshot'
elseif string.match(info, 'aof_last_write_status:err') then refuses = 'append-only file' end
return {
  master,
  redis.call('HLEN', KEYS[2]),
  redis.call('HLEN', KEYS[3]),
  redis.call('HLEN', KEYS[4]),
  redis.call('HGETALL', KEYS[1]),
  refuses
}
