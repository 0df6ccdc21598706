-- Sets due buckets aside of which no row can be made until their account's record is another one: no sweep comes to them.
-- A bucket whose account has another record by now, or others aside by another one, stays where it is.
-- KEYS: 1 fences, 2 due order, 3 aside, 4 records, 5 accounts   ARGV: account, record that was judged, bucket each
for a = 1, #ARGV, 3 do
  local account, record, bucket = unpack(ARGV, a, a + 2)
  local noted = redis.call('HGET', KEYS[4], account) or record
  local same = noted == record and (redis.call('HGET', KEYS[5], account) or '') == record
  if same and redis.call('ZREM', KEYS[2], bucket) == 1 then
    redis.call('ZADD', KEYS[3], 0, bucket)
    redis.call('HSET', KEYS[4], account, record)
  end
end
