-- Notes when the first record was appended that a cut usage log still has, before anything of it is counted.
-- KEYS: 1 fences   ARGV: 1 the fence, 2 append time
local fences = redis.call('HMGET', KEYS[1], 'usage', 'usage.cut', 'read')
if fences[1] == ARGV[1] and fences[2] and (fences[3] or '0') == '0' then
  redis.call('HSETNX', KEYS[1], 'usage.begins', ARGV[2])
end
