-- A shard at one moment: the server's replication id, how much is due, in flight and parked, then the fences.
-- KEYS: 1 fences, 2 due, 3 in flight, 4 parked
return {
  master,
  redis.call('HLEN', KEYS[2]),
  redis.call('HLEN', KEYS[3]),
  redis.call('HLEN', KEYS[4]),
  redis.call('HGETALL', KEYS[1])
}
