-- Sets a ready mark if the shard is still the one that was noted and its fences have reached the noted ends.
-- It is as fresh as the noted ends where they have reached the high watermarks too. HELD: only the last stable offsets.
-- UNDECIDED: a log's head was cut, and nobody has decided yet which buckets that closes.
-- KEYS: 1 fences   ARGV: 1 ready field, 2 replication id, 3 incarnation, 4 as of;
--                        then fence field, last stable offset, high watermark each
if master ~= ARGV[2] or redis.call('HGET', KEYS[1], 'incarnation') ~= ARGV[3] then return 'CHANGED' end
if unsafe then return 'UNSAFE' end
local held = false
for a = 5, #ARGV, 3 do
  local fence = tonumber(redis.call('HGET', KEYS[1], ARGV[a]) or '-1')
  if fence < tonumber(ARGV[a + 1]) or fence < 0 then return 'BEHIND' end
  held = held or fence < tonumber(ARGV[a + 2])
end
for a = 5, #ARGV, 3 do
  local cut = redis.call('HMGET', KEYS[1], ARGV[a] .. '.cut', ARGV[a] .. '.closed')
  if cut[1] and not cut[2] then return 'UNDECIDED' end
end
local asked, as_of = tonumber(ARGV[4]), tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. '.as_of') or '-1')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if as_of > asked + 3600000 then as_of = -1 end  -- it was set by a clock that was hours ahead
if held and as_of < 0 then  -- what was appended before the last folded record is all that is known to be counted
  as_of = math.min(asked, tonumber(redis.call('HGET', KEYS[1], 'high_ms') or '0'))
elseif not held then
  as_of = math.max(asked, as_of)
end
redis.call('HSET', KEYS[1], ARGV[1] .. '.as_of', string.format('%.0f', as_of))
return held and 'HELD' or 'READY'
