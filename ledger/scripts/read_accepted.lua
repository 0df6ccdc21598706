-- What Stripe has accepted in the minute of a row in flight; nothing once the row is not in flight any more,
-- because its own units may be among them then.
-- KEYS: 1 fences, 2 accepted, 3 in flight   ARGV: 1 minute, 2 identifier
if redis.call('HEXISTS', KEYS[3], ARGV[2]) == 0 then return false end
return redis.call('HGET', KEYS[2], ARGV[1]) or '0'
