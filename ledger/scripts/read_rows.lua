-- Unresolved rows: all of a hash, or those named.   KEYS: 1 fences, 2 in flight or parked   ARGV: identifiers
if #ARGV == 0 then return redis.call('HGETALL', KEYS[2]) end
local reply = {}
for _, identifier in ipairs(ARGV) do
  local entry = redis.call('HGET', KEYS[2], identifier)
  if entry then
    reply[#reply + 1] = identifier
    reply[#reply + 1] = entry
  end
end
return reply
