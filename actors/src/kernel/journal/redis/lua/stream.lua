-- The events of a stream above a version, at most `limit`.
local stream, after, limit = arg(), num(), num()
local gone = tonumber(call('ZSCORE', p .. 'trimmed', stream) or '0')
after = math.max(after - gone, 0)
local events = {}
for i, position in ipairs(call('LRANGE', p .. 'stream:' .. stream, after, after + limit - 1)) do
  events[i] = call('XRANGE', p .. 'log', position .. '-0', position .. '-0')[1]
end
return events
