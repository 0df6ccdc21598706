-- What Stripe has accepted on some days, if the push log is folded; and where its fold stands.
-- KEYS: 1 fences; then the days' accepted hashes
local fences = redis.call('HMGET', KEYS[1], 'push_ready', 'pushes')
if fences[1] ~= master then return {'NOT_READY'} end
local reply = {'ACCEPTED', fences[2]}
for k = 2, #KEYS do reply[k + 1] = redis.call('HGETALL', KEYS[k]) end
return reply
