-- KEYS: changes, known. ARGV: a list, a place in it; both are empty for whoever knows of none.
-- Answers what was listed last, and the entries from the place, or all of another list.
local list = redis.call('HGET', KEYS[2], 'list') or ''
local from = list ~= '' and list == ARGV[1] and ARGV[2] or '-'
return {redis.call('HGETALL', KEYS[2]), redis.call('XRANGE', KEYS[1], from, '+')}
