-- Claims due rows: oldest first, each partition up to its own limit, all up to the whole one.
-- The token of a row is the 14 bytes given, and its number in this call.
local worker, q, now, till, limit, default, stem = arg(), arg(), arg(), arg(), num(), num(), arg()
local caps = {}
for _ = 1, num() do
  local name = arg()
  caps[name] = num()
end

local found = {}
for _, partition in ipairs(call('ZRANGEBYSCORE', p .. 'partitions:' .. q, '-inf', now)) do
  local cap = math.min(caps[partition] or default, limit)
  if cap > 0 then
    local due = call('ZRANGEBYSCORE', p .. 'due:' .. q .. ':' .. partition, '-inf', now,
      'WITHSCORES', 'LIMIT', 0, cap)
    for i = 1, #due, 2 do found[#found + 1] = { tonumber(due[i + 1]), due[i] } end
  end
end
table.sort(found, function(a, b)
  if a[1] ~= b[1] then return a[1] < b[1] end
  return a[2] < b[2]
end)

local claimed = {}
for i = 1, math.min(#found, limit) do
  local key = string.sub(found[i][2], 18)
  local at = row_at(q, key)
  local token = stem .. string.char(math.floor(i / 256) % 256, i % 256)
  call('HSET', at, 'claim', token, 'until', till)
  call('HSET', p .. 'claimants:' .. q, key, token .. worker)
  local claims = call('HINCRBY', at, 'claims', 1)
  local row = call('HMGET', at, 'place', 'partition', 'order', 'added', 'meta', 'body')
  if row[3] then call('ZADD', p .. 'claims:' .. order_of(q, row[2], row[3]), till, key) end
  show(q, row[2], row[1], key, till)
  local bytes = row[6] and call('HGET', p .. 'body:' .. row[6], 'bytes')
  claimed[i] = { key, row[2], row[3], token, tostring(claims), row[4], row[5], row[6], bytes }
end
-- Whoever has a claim counts as alive from then on.
if claimed[1] then call('ZADD', p .. 'workers', 'NX', now_ms(), worker) end
return claimed
