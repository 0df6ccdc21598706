-- Who a credential belongs to, in the shard of its key's hash; and its key is noted as used.
-- KEYS: 1 fences, 2 API keys, 3 last used, 4 uses in this window; 5 session, where that is the credential
-- ARGV: 1 key's hash ('' for a session), 2 now, 3 seconds to keep the window's uses
local hash = ARGV[1]
if KEYS[5] then hash = redis.call('GET', KEYS[5]) end
local record = hash and redis.call('HGET', KEYS[2], hash)
if not record then return {'UNKNOWN'} end
local uses = redis.call('HINCRBY', KEYS[4], hash, 1)
if uses == 1 then redis.call('EXPIRE', KEYS[4], ARGV[3]) end
redis.call('HSET', KEYS[3], hash, ARGV[2])
return {'FOUND', record, uses}
