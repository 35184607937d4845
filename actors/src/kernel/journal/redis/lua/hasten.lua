-- Makes unclaimed waiting rows due now -> {head, how many}. ARGV: queue, now, origin, how many
-- keys follow ('' = all rows), the keys.
local q, now, origin, given = arg(), arg(), arg(), arg()
local count, orders, keys = 0, {}, {}
if given == '' then
  keys = call('ZRANGE', p .. 'rows:' .. q, 0, -1)
else
  for i = 1, tonumber(given) do keys[i] = arg() end
end
for _, key in ipairs(keys) do
  local at = row_at(q, key)
  local row = call('HMGET', at, 'state', 'due', 'until', 'partition', 'order', 'place')
  local waits = row[1] == '0' and tonumber(row[2]) > tonumber(now)
  local free = not row[3] or tonumber(row[3]) <= tonumber(now)
  if waits and free then
    count = count + 1
    call('HSET', at, 'due', now)
    if row[5] then orders[order_of(q, row[4], row[5])] = { row[4], row[5] }
    else show(q, row[4], row[6], key, now) end
  end
end
for _, order in pairs(orders) do refresh(q, order[1], order[2]) end
local head = call('HGET', KEYS[1], 'head') or '0'
if count > 0 then
  local touched = { 0, 0, 0, 0, 0 }
  touched[tonumber(q) + 1] = 1
  redis.pcall('PUBLISH', p .. 'hint', origin .. ' ' .. head .. ' ' .. table.concat(touched, ' '))
end
return { head, tostring(count) }
