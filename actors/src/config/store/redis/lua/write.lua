-- KEYS: changes, known, the document. ARGV: channel, seed, writer, cap, name, origin, nonce, the
-- new text, and the text that the writer believes in, if any.
-- Answers 1 when it is written (also by an earlier call with this nonce), 0 when somebody
-- else was faster.
local channel, seed, writer, cap, name, origin, nonce, text, believed = unpack(ARGV)
local present = redis.call('GET', KEYS[3])
if present ~= (believed or false) then
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 50)) do
    local fields = entry[2]
    for i = 1, #fields, 2 do
      if fields[i] == 'nonce' and fields[i + 1] == nonce then return 1 end
    end
  end
  return 0
end
if present == text then return 1 end
redis.call('SET', KEYS[3], text)
local known = redis.call('HGET', KEYS[2], 'doc:' .. name)
if present and #present <= largest and redis.sha1hex(present) ~= known then
  list(name, present, redis.sha1hex(present), 'external', '', cap, seed, '')
end
list(name, text, redis.sha1hex(text), origin, writer, cap, seed, nonce)
redis.call('PUBLISH', channel, name)
return 1
