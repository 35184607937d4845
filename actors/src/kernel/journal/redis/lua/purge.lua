-- Looks at up to `limit` bodies past their time from `offset` on -> {looked at, dropped}.
local now, offset, limit = arg(), arg(), arg()
local old = call('ZRANGEBYSCORE', p .. 'bodies', '-inf', now, 'LIMIT', offset, limit)
local dropped = 0
for _, key in ipairs(old) do
  if call('HEXISTS', p .. 'refs', key) == 0 then
    call('DEL', p .. 'body:' .. key)
    call('ZREM', p .. 'bodies', key)
    dropped = dropped + 1
  end
end
return { tostring(#old), tostring(dropped) }
