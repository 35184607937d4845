-- One commit. Everything is checked before anything is written, so a refused commit leaves
-- no trace; Redis runs nothing else meanwhile.
local epoch, known, origin = arg(), num(), arg()
local meta = call('HMGET', KEYS[1], 'epoch', 'head')
local head = tonumber(meta[2] or '0')
if meta[1] ~= epoch then return {'regressed'} end
if head < known then
  -- A new epoch tells everybody else, too, who may look only when the log has grown again.
  call('HSET', KEYS[1], 'epoch', origin .. '.' .. string.format('%.0f', now_ms()))
  return {'regressed'}
end

local at, cause = arg(), arg()
local lease, token = arg(), arg()
local writes, total, there, last = {}, 0, 0, 0
for w = 1, num() do
  local stream, expected, events = arg(), arg(), {}
  for e = 1, num() do
    local event = { arg(), arg(), arg(), arg(), arg() } -- id, kind, schema, payload, sum
    local position = call('HGET', p .. 'ids', event[1])
    total = total + 1
    if position then
      local found = call('XRANGE', p .. 'log', position .. '-0', position .. '-0')
      if found[1] and found[1][2][4] ~= stream then return { 'taken', event[1] } end
      there = there + 1
      if tonumber(position) > last then last = tonumber(position) end
    end
    events[e] = event
  end
  writes[w] = { stream, expected, events }
end
if there > 0 and there < total then return { 'partial', tostring(there) } end
if there > 0 then return { 'there', tostring(last) } end

if token ~= '' then
  local current = call('HGET', p .. 'fences', lease) or '0'
  if current ~= '0' and token ~= current then return { 'fenced', current } end
end

local versions = {}
for w, write in ipairs(writes) do
  local stream, expected = write[1], write[2]
  local version = versions[stream] or version_of(stream)
  if expected ~= '' and tonumber(expected) ~= version then
    return { 'conflict', tostring(w - 1), tostring(version) }
  end
  versions[stream] = version + #write[3]
end

-- Settled rows first, deferred ones after them; `claim` is empty for an operator's command.
local function ended(i, q, key, claim)
  if claim == '' then return nil end
  if call('HGET', row_at(q, key), 'claim') ~= claim then return { 'claim', tostring(i) } end
end
local settles, defers, lost = {}, {}, nil
for i = 1, num() do
  settles[i] = { arg(), arg(), arg() } -- queue, key, claim
  lost = lost or ended(i - 1, unpack(settles[i]))
end
for i = 1, num() do
  -- queue, key, claim, state, due, meta or not, meta, partition or not, partition
  defers[i] = { arg(), arg(), arg(), arg(), arg(), arg(), arg(), arg(), arg() }
  lost = lost or ended(#settles + i - 1, defers[i][1], defers[i][2], defers[i][3])
end
if lost then return lost end
local trims = {}
for i = 1, num() do
  trims[i] = { arg(), arg() } -- stream, version
  local version = version_of(trims[i][1])
  if version ~= 0 and version ~= tonumber(trims[i][2]) then
    return { 'moved', tostring(i - 1), tostring(version) }
  end
end

for _, write in ipairs(writes) do
  local stream = p .. 'stream:' .. write[1]
  local gone = tonumber(call('ZSCORE', p .. 'trimmed', write[1]) or '0')
  for _, event in ipairs(write[3]) do
    head = head + 1
    local position = string.format('%.0f', head)
    local version = gone + call('RPUSH', stream, position)
    call('XADD', p .. 'log', position .. '-0', 'id', event[1], 'stream', write[1], 'version', version,
      'kind', event[2], 'schema', event[3], 'at', at, 'cause', cause, 'payload', event[4], 'sum', event[5])
    call('HSET', p .. 'ids', event[1], position)
  end
end
if total > 0 then call('HSET', KEYS[1], 'head', string.format('%.0f', head)) end

for _, trim in ipairs(trims) do
  local stream = p .. 'stream:' .. trim[1]
  local positions = call('LRANGE', stream, 0, -1)
  for _, position in ipairs(positions) do
    local entry = position .. '-0'
    local found = call('XRANGE', p .. 'log', entry, entry)
    if found[1] then call('HDEL', p .. 'ids', found[1][2][2]) end
    call('XDEL', p .. 'log', entry)
  end
  call('DEL', stream)
  call('ZADD', p .. 'trimmed', trim[2], trim[1])
  call('HINCRBY', KEYS[1], 'gaps', #positions)
end

local touched = { 0, 0, 0, 0, 0 }
local function touch(q) touched[tonumber(q) + 1] = 1 end

local function unrefer(body)
  if body and call('HINCRBY', p .. 'refs', body, -1) <= 0 then call('HDEL', p .. 'refs', body) end
end

-- Sets when a row comes due, and ends its claim.
local function set_due(q, key, place, partition, order, state, due)
  call('HDEL', row_at(q, key), 'claim', 'until')
  call('HDEL', p .. 'claimants:' .. q, key)
  call('HSET', row_at(q, key), 'state', state, 'due', due)
  if not order then
    show(q, partition, place, key, state == '0' and due)
    return
  end
  local o = order_of(q, partition, order)
  if state == '2' then call('ZREM', p .. 'order:' .. o, key)
  else call('ZADD', p .. 'order:' .. o, place, key) end
  call('ZREM', p .. 'claims:' .. o, key)
  show(q, partition, place, key, false)
  refresh(q, partition, order)
end

for _, settle in ipairs(settles) do
  local q, key = settle[1], settle[2]
  local row = call('HMGET', row_at(q, key), 'place', 'partition', 'order', 'body')
  if row[1] then
    call('DEL', row_at(q, key))
    call('HDEL', p .. 'claimants:' .. q, key)
    call('ZREM', p .. 'rows:' .. q, key)
    unrefer(row[4])
    show(q, row[2], row[1], key, false)
    if row[3] then
      local o = order_of(q, row[2], row[3])
      call('ZREM', p .. 'order:' .. o, key)
      call('ZREM', p .. 'claims:' .. o, key)
      refresh(q, row[2], row[3])
      touch(q)
    end
  end
end

for _, defer in ipairs(defers) do
  local q, key = defer[1], defer[2]
  local row = call('HMGET', row_at(q, key), 'place', 'partition', 'order')
  if row[1] then
    if defer[6] == '1' then call('HSET', row_at(q, key), 'meta', defer[7]) end
    local partition = row[2]
    if defer[8] == '1' and not row[3] and defer[9] ~= partition then
      show(q, partition, row[1], key, false)
      partition = defer[9]
      call('HSET', row_at(q, key), 'partition', partition)
    end
    set_due(q, key, row[1], partition, row[3], defer[4], defer[5])
    touch(q)
  end
end

for _ = 1, num() do
  local q, key, partition, ordered, order, state, due, meta_text, has_body, body =
    arg(), arg(), arg(), arg(), arg(), arg(), arg(), arg(), arg(), arg()
  local row = call('HMGET', row_at(q, key), 'place', 'partition', 'order', 'body')
  local place = row[1]
  if place then
    -- A row that is there keeps its place, its partition and its order.
    partition, order = row[2], row[3]
    unrefer(row[4])
  else
    place = string.format('%.0f', call('HINCRBY', KEYS[1], 'place', 1))
    call('HSET', row_at(q, key), 'place', place, 'partition', partition, 'claims', '0', 'added', at)
    if ordered == '1' then call('HSET', row_at(q, key), 'order', order) else order = false end
    call('ZADD', p .. 'rows:' .. q, place, key)
  end
  call('HSET', row_at(q, key), 'meta', meta_text)
  if has_body == '1' then
    call('HSET', row_at(q, key), 'body', body)
    call('HINCRBY', p .. 'refs', body, 1)
  else
    call('HDEL', row_at(q, key), 'body')
  end
  set_due(q, key, place, partition, order, state, due)
  touch(q)
end

for _ = 1, num() do
  local key, keep, sum, bytes = arg(), arg(), arg(), arg()
  call('HSET', p .. 'body:' .. key, 'sum', sum, 'bytes', bytes)
  call('ZADD', p .. 'bodies', keep, key)
end

local queues = table.concat(touched, ' ')
local position = string.format('%.0f', head)
-- A hint only: a server that forbids publishing must not spoil what has been written.
redis.pcall('PUBLISH', p .. 'hint', origin .. ' ' .. position .. ' ' .. queues)
local answer = { 'ok', position }
for i, count in ipairs(touched) do answer[i + 2] = tostring(count) end
return answer
