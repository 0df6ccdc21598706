-- KEYS: 1 fences, 2 session
return redis.call('DEL', KEYS[2])
