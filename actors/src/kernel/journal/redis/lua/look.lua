-- new epoch -> {epoch, format, head}. Marks an empty log with a new epoch.
local fresh, format = arg(), arg()
local epoch = call('HGET', KEYS[1], 'epoch')
if not epoch then call('HSET', KEYS[1], 'epoch', fresh, 'format', format, 'head', '0') end
-- What an older program wrote is also how this one writes it, until something is trimmed.
local known = call('HGET', KEYS[1], 'format')
if tonumber(known) < tonumber(format) then call('HSET', KEYS[1], 'format', format) end
return call('HMGET', KEYS[1], 'epoch', 'format', 'head')
