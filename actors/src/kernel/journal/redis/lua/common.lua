-- Shared by every script of the journal. KEYS[1] is `<prefix>:meta`; every other key is
-- made from its prefix, which carries a hash tag, so that all of them share one slot.
-- Arguments are taken one after the other and stay opaque text: no JSON in here, and
-- instants (microseconds) and tokens are only compared, never written from a number.
local call = redis.call
local p = string.sub(KEYS[1], 1, -5)
local taken = 0
local function arg() taken = taken + 1; return ARGV[taken] end
local function num() return tonumber(arg()) end

-- How many events a stream has had; the first of them may have left the log.
local function version_of(stream)
  return tonumber(call('ZSCORE', p .. 'trimmed', stream) or '0') + call('LLEN', p .. 'stream:' .. stream)
end

-- The server's clock: what lies between two instants is measured by it.
local function now_ms()
  local time = call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

local function row_at(q, key) return p .. 'row:' .. q .. ':' .. key end

-- Names an order: the length keeps two different pairs of names apart.
local function order_of(q, partition, order)
  return q .. ':' .. #partition .. ':' .. partition .. ':' .. order
end

-- Rows that come due at the same instant are taken in order of addition.
local function member(place, key) return string.format('%016.0f', tonumber(place)) .. ':' .. key end

-- Sets when a row can be claimed (false = not without somebody's doing), and keeps the
-- earliest of its partition, by which claims and timers find the partitions.
local function show(q, partition, place, key, visible)
  local due = p .. 'due:' .. q .. ':' .. partition
  if visible then call('ZADD', due, visible, member(place, key))
  else call('ZREM', due, member(place, key)) end
  local first = call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if first[2] then call('ZADD', p .. 'partitions:' .. q, first[2], partition)
  else call('ZREM', p .. 'partitions:' .. q, partition) end
end

-- Makes the first row of an order that is not parked the only visible one: from when it is
-- due and no claim on it, or on another row of the order, holds any more.
local function refresh(q, partition, order)
  local o = order_of(q, partition, order)
  local waiting = call('ZRANGE', p .. 'order:' .. o, 0, 1, 'WITHSCORES')
  -- The second was the first when an earlier one has just come back from being parked.
  if waiting[3] then show(q, partition, waiting[4], waiting[3], false) end
  if not waiting[1] then return end
  local row = call('HMGET', row_at(q, waiting[1]), 'state', 'due')
  local visible = false
  if row[1] == '0' then
    visible = row[2]
    local last = call('ZREVRANGE', p .. 'claims:' .. o, 0, 0, 'WITHSCORES')
    if last[2] and tonumber(last[2]) > tonumber(visible) then visible = last[2] end
  end
  show(q, partition, waiting[2], waiting[1], visible)
end
