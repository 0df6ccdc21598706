-- What Stripe has accepted in the minute of an unresolved row; nothing once the row is settled, because its own units
-- may be among them then.
-- KEYS: 1 fences, 2 accepted, 3 held   ARGV: 1 minute, 2 identifier
if redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[2] then return false end
return redis.call('HGET', KEYS[2], ARGV[1]) or '0'
