-- Claims due rows: oldest first, each partition up to its own limit, all up to the whole one, and
-- heavy bodies up to so many bytes.
-- The token of a row is the 14 bytes given, and its number in this call.
local worker, q, now, till, limit, default, stem = arg(), arg(), arg(), arg(), num(), num(), arg()
local caps = {}
for _ = 1, num() do
  local name = arg()
  caps[name] = num()
end

-- Bytes of heavy bodies in all (nil = any), partitions of which only light rows come, the largest
-- light body, whether nothing passes a heavy row that does not come, and how many rows of a
-- partition are looked at behind those that it may have.
local left, light_only = tonumber(arg()), {}
for _ = 1, num() do light_only[arg()] = true end
local light, in_order, beyond = num(), num() == 1, num()
local weighs = left or next(light_only)

local function most_of(partition) return math.min(caps[partition] or default, limit) end

-- Rows of a partition that are due.
local function add_due(found, partition, out, count)
  local due = call('ZRANGEBYSCORE', p .. 'due:' .. q .. ':' .. partition, '-inf', now,
    'WITHSCORES', 'LIMIT', out, count)
  for i = 1, #due, 2 do found[#found + 1] = { tonumber(due[i + 1]), due[i], partition } end
end

local function bytes_of(key)
  local body = weighs and call('HGET', row_at(q, key), 'body')
  return body and call('HSTRLEN', p .. 'body:' .. body, 'bytes') or 0
end

-- Whether a heavy row is taken: the first one always, the others in order while there is room.
local has_heavy, closed = false, false
local function bears(partition, bytes)
  if light_only[partition] then return false end
  if not left then return true end
  if closed or not ((not has_heavy and left > 0) or bytes <= left) then
    closed = true
    return false
  end
  has_heavy, left = true, math.max(left - bytes, 0)
  return true
end

local picked, taken, skipped, ended = {}, {}, {}, false
local function offer(found)
  table.sort(found, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for _, row in ipairs(found) do
    if ended or #picked >= limit then return end
    local key, partition = string.sub(row[2], 18), row[3]
    if (taken[partition] or 0) < most_of(partition) then
      local bytes = bytes_of(key)
      if weighs and bytes > light and not bears(partition, bytes) then
        skipped[partition], ended = true, in_order
      else
        taken[partition] = (taken[partition] or 0) + 1
        picked[#picked + 1] = key
      end
    end
  end
end

local found = {}
for _, partition in ipairs(call('ZRANGEBYSCORE', p .. 'partitions:' .. q, '-inf', now)) do
  local most = most_of(partition)
  if most > 0 then add_due(found, partition, 0, most) end
end
offer(found)
if next(skipped) and not ended and #picked < limit then
  found = {}
  for partition in pairs(skipped) do add_due(found, partition, most_of(partition), beyond) end
  offer(found)
end

local claimed = {}
for i, key in ipairs(picked) do
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
