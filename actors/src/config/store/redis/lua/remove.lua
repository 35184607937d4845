-- KEYS: changes, known, the document. ARGV: channel, seed, writer, cap, name, origin.
-- Answers 1 when there was a document.
local channel, seed, writer, cap, name, origin = unpack(ARGV)
if redis.call('DEL', KEYS[3]) == 0 then return 0 end
list(name, false, '-', origin, writer, cap, seed, '')
redis.call('PUBLISH', channel, name)
return 1
