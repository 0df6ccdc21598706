-- KEYS: 1 fences, 2 hints
local meters = redis.call('SMEMBERS', KEYS[2])
redis.call('DEL', KEYS[2])
return meters
