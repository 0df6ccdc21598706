-- KEYS: 1 fences
return redis.call('HGETALL', KEYS[1])
