-- Brings some of an account's buckets back into the order; its record is forgotten with the last of them. Gives how many.
-- KEYS: 1 fences, 2 due order, 3 aside, 4 records   ARGV: 1 account, 2 how many at most
local first, last = '[' .. ARGV[1] .. '|', '(' .. ARGV[1] .. '}'  -- no account's name has what comes after '|'
local buckets = redis.call('ZRANGE', KEYS[3], first, last, 'BYLEX', 'LIMIT', 0, ARGV[2])
for _, bucket in ipairs(buckets) do
  redis.call('ZADD', KEYS[2], string.match(bucket, '%d+$'), bucket)
  redis.call('ZREM', KEYS[3], bucket)
end
if #buckets < tonumber(ARGV[2]) then redis.call('HDEL', KEYS[4], ARGV[1]) end
return #buckets
