-- Which members a ready shard remembers, while its dedupe blocks are still the ones that the caller asks about.
-- KEYS: 1 fences; then the sets to ask
-- ARGV: 1 blocks, then per block: its number, its sets; then per set to ask: how many members, the members
-- Returns REMEMBERED and 1 or 0 per member asked for, in order; or NOT_READY; or CHANGED.
local arg = 2
for _ = 1, tonumber(ARGV[1]) do
  if redis.call('HGET', KEYS[1], 'sets:' .. ARGV[arg]) ~= ARGV[arg + 1] then return {'CHANGED'} end
  arg = arg + 2
end
local newest = ARGV[arg - 2]
if newest and redis.call('HEXISTS', KEYS[1], 'sets:' .. string.format('%.0f', newest + 1)) == 1 then return {'CHANGED'} end
local reply = {'REMEMBERED'}
for key = 2, #KEYS do
  local last = arg + ARGV[arg]
  for _, found in ipairs(redis.call('SMISMEMBER', KEYS[key], unpack(ARGV, arg + 1, last))) do
    reply[#reply + 1] = found
  end
  arg = last + 1
end
return reply
