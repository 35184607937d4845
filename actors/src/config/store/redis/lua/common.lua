-- Adds to the list of changes, and notes what was listed. `text` is false for a removal.
local function list(name, text, sum, origin, writer, cap, seed, nonce)
  redis.call('HSETNX', KEYS[2], 'list', seed)
  local entry = {'XADD', KEYS[1], 'MAXLEN', cap, '*', 'key', name, 'origin', origin, 'writer', writer, 'nonce', nonce}
  if text then
    entry[#entry + 1] = 'text'
    entry[#entry + 1] = text
  end
  local id = redis.call(unpack(entry))
  redis.call('HSET', KEYS[2], 'doc:' .. name, sum)
  return id
end

