-- KEYS: 1 fences, 2 notices
return redis.call('HGETALL', KEYS[2])
