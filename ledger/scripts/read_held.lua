-- Which rows hold some buckets and minutes.
-- KEYS: 1 fences, 2 held   ARGV: buckets and minutes
return redis.call('HMGET', KEYS[2], unpack(ARGV))
