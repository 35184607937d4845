-- worker, silence (ms), leaves or not, what it says of itself ('' = nothing), stems of its claims
-- that went astray -> number of vanished workers, released claims per queue.
-- Notes that this worker lives, and releases claims: those of workers that have been silent
-- for too long, and those of which this one never heard that it had got them. Only a worker whose own beats have come without a gap for as long may judge:
-- after the server was frozen or away, everybody has been silent.
local worker, silence, leaves, profile = arg(), num(), arg() == '1', arg()
local now = now_ms()
local workers, steady = p .. 'workers', p .. 'steady'
local gone, vanished, astray = {}, 0, {}
for _ = 1, num() do astray[arg()] = true end

local function forget(name)
  call('ZREM', workers, name)
  call('HDEL', steady, name)
  call('HDEL', p .. 'profiles', name)
  gone[name] = true
end

if leaves then
  forget(worker)
else
  local last = call('ZSCORE', workers, worker)
  local since = call('HGET', steady, worker)
  if not last or not since or now - tonumber(last) > silence / 2 then
    since = string.format('%.0f', now)
    call('HSET', steady, worker, since)
  end
  call('ZADD', workers, now, worker)
  if profile ~= '' then call('HSET', p .. 'profiles', worker, profile) end
  if now - tonumber(since) >= silence then
    for _, name in ipairs(call('ZRANGEBYSCORE', workers, '-inf', '(' .. (now - silence))) do
      forget(name)
      vanished = vanished + 1
    end
  end
end

local released, any = { 0, 0, 0, 0, 0 }, false
if next(gone) or next(astray) then
  for q = 0, #released - 1 do
    local claims = call('HGETALL', p .. 'claimants:' .. q)
    for i = 1, #claims, 2 do
      local key, token, name = claims[i], string.sub(claims[i + 1], 1, 16), string.sub(claims[i + 1], 17)
      if gone[name] or astray[string.sub(token, 1, 14)] then
        call('HDEL', p .. 'claimants:' .. q, key)
        local row = call('HMGET', row_at(q, key), 'claim', 'place', 'partition', 'order', 'state', 'due')
        -- A row that was claimed anew, by a program that keeps no list, is not touched.
        if row[1] == token then
          call('HDEL', row_at(q, key), 'claim', 'until')
          if row[4] then
            call('ZREM', p .. 'claims:' .. order_of(q, row[3], row[4]), key)
            refresh(q, row[3], row[4])
          else
            show(q, row[3], row[2], key, row[5] == '0' and row[6])
          end
          released[q + 1] = released[q + 1] + 1
          any = true
        end
      end
    end
  end
end
if any then
  local head = call('HGET', KEYS[1], 'head') or '0'
  redis.pcall('PUBLISH', p .. 'hint', worker .. ' ' .. head .. ' ' .. table.concat(released, ' '))
end
return { vanished, unpack(released) }
