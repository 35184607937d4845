-- silence (ms) -> what each worker that was heard of since then says of itself: name, text, ...
local since, said = now_ms() - num(), {}
for _, name in ipairs(call('ZRANGEBYSCORE', p .. 'workers', since, '+inf')) do
  local text = call('HGET', p .. 'profiles', name)
  if text then said[#said + 1] = name; said[#said + 1] = text end
end
return said
