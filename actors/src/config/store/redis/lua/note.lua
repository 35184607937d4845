-- KEYS: pending. ARGV: channel, name, the note that the caller believes in, the new one or
-- nothing, the id of what has arrived or nothing, how many bytes of such ids are kept.
-- Answers 1 when the note is the new one, 0 when somebody else was faster. Who only wants to
-- know whether it still is what he believes gives the same twice.
local channel, name, before, after, settled, keep = unpack(ARGV)
local present = redis.call('HGET', KEYS[1], name) or ''
if present ~= before then return present == after and 1 or 0 end
if after == before and settled == '' then return 1 end
if after == '' then
  redis.call('HDEL', KEYS[1], name)
else
  redis.call('HSET', KEYS[1], name, after)
end
if settled ~= '' then
  local ids = settled .. ' ' .. (redis.call('HGET', KEYS[1], 'settled:' .. name) or '')
  redis.call('HSET', KEYS[1], 'settled:' .. name, string.sub(ids, 1, tonumber(keep)))
end
redis.call('PUBLISH', channel, name)
return 1
