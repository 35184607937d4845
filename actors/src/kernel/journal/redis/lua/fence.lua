-- lease -> the new fence: above the one before, and not below the server's clock (in
-- microseconds: grants take longer), so that it is above every fence of a lost log, too.
local lease = arg()
local time = call('TIME')
local clock = tonumber(time[1]) * 1000000 + tonumber(time[2])
local before = tonumber(call('HGET', p .. 'fences', lease) or '0')
local fence = string.format('%.0f', math.max(before + 1, clock))
call('HSET', p .. 'fences', lease, fence)
return { fence }
