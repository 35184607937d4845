-- KEYS: workers, alive. ARGV: milliseconds after which a worker counts as gone.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local said = {}
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. (now - ARGV[1]), '+inf')) do
  local ack = redis.call('HGET', KEYS[1], worker)
  if ack then said[#said + 1] = ack end
end
return said
