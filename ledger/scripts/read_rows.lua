-- Where the fold of the push log stands, then the unresolved rows that are named.
-- KEYS: 1 fences, 2 in flight or parked   ARGV: identifiers
local reply = {redis.call('HGET', KEYS[1], 'pushes') or ''}
for _, identifier in ipairs(ARGV) do
  local entry = redis.call('HGET', KEYS[2], identifier)
  if entry then
    reply[#reply + 1] = identifier
    reply[#reply + 1] = entry
  end
end
return reply
