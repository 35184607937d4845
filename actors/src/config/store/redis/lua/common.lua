-- Adds to the list of changes, and notes what was listed. `text` is false for a removal. Of
-- sign-in links only the present ones are in the list: an entry replaces the one before. What is
-- older than a month leaves the list.
local secret, month = 'magic_link_tokens', 30 * 24 * 3600 * 1000

local function forget(name)
  local at = redis.call('HGET', KEYS[2], 'at:' .. name)
  if at then
    redis.call('XDEL', KEYS[1], at)
    return
  end
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    local fields = entry[2]
    for i = 1, #fields, 2 do
      if fields[i] == 'key' and fields[i + 1] == name then redis.call('XDEL', KEYS[1], entry[1]) end
    end
  end
end

local function list(name, text, sum, origin, writer, cap, seed, nonce)
  redis.call('HSETNX', KEYS[2], 'list', seed)
  if name == secret then forget(name) end
  local entry = {'XADD', KEYS[1], 'MAXLEN', cap, '*', 'key', name, 'origin', origin, 'writer', writer, 'nonce', nonce}
  if text then
    entry[#entry + 1] = 'text'
    entry[#entry + 1] = text
  end
  local id = redis.call(unpack(entry))
  redis.call('HSET', KEYS[2], 'doc:' .. name, sum)
  if name == secret then redis.call('HSET', KEYS[2], 'at:' .. name, id) end
  local old = tonumber(string.match(id, '^%d+')) - month
  -- A server that is too old for it keeps the number only.
  redis.pcall('XTRIM', KEYS[1], 'MINID', '~', string.format('%d', old))
  return id
end

