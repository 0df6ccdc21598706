-- The buckets with unclaimed units of the next hour that has any, closed ones left out.
-- KEYS: 1 fences, 2 due order   ARGV: 1 first hour, 2 last hour
local first = math.max(ARGV[1], redis.call('HGET', KEYS[1], 'closed_before') or 0)
local hour = redis.call('ZRANGE', KEYS[2], first, ARGV[2], 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
if not hour then return {'DUE'} end
return {'DUE', hour, redis.call('ZRANGE', KEYS[2], hour, hour, 'BYSCORE')}
