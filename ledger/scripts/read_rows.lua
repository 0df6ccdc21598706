-- Where the fold of the push log stands, then unresolved rows: all of a hash, or those named.
-- KEYS: 1 fences, 2 in flight or parked   ARGV: identifiers
local reply = {redis.call('HGET', KEYS[1], 'pushes') or ''}
if #ARGV == 0 then
  for _, part in ipairs(redis.call('HGETALL', KEYS[2])) do reply[#reply + 1] = part end
  return reply
end
for _, identifier in ipairs(ARGV) do
  local entry = redis.call('HGET', KEYS[2], identifier)
  if entry then
    reply[#reply + 1] = identifier
    reply[#reply + 1] = entry
  end
end
return reply
