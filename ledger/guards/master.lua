-- Runs on masters only. A replica may be cut off and old; and what is read there must be what is written elsewhere.
-- `master` is the server's replication id: it changes whenever what the server holds may be older than it was.
local master = string.match(redis.call('INFO', 'replication'), 'role:master.-master_replid:(%x+)')
if not master then return {err = 'READONLY this server is a replica: the master is elsewhere now'} end
