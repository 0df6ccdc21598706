-- KEYS: 1 fences, 2 accounts   ARGV: 1 account
local ready = redis.call('HGET', KEYS[1], 'ready')
if ready ~= string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') then return {'NOT_READY'} end
return {'FOUND', redis.call('HGET', KEYS[2], ARGV[1]) or ''}
