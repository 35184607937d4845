-- KEYS: changes, known, the document. ARGV: channel, seed, writer, cap, name, text.
-- Answers 1 when the text was put back.
local channel, seed, writer, cap, name, text = unpack(ARGV)
if redis.call('EXISTS', KEYS[3]) == 1 or redis.call('HEXISTS', KEYS[2], 'doc:' .. name) == 1 then
  return 0
end
redis.call('SET', KEYS[3], text)
list(name, text, redis.sha1hex(text), 'recovered', writer, cap, seed, '')
redis.call('PUBLISH', channel, name)
return 1
