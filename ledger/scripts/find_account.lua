-- KEYS: 1 fences, 2 accounts   ARGV: 1 account
return {'FOUND', redis.call('HGET', KEYS[2], ARGV[1]) or ''}
