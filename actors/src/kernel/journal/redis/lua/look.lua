-- new epoch, format, known epoch and head -> {epoch, format, head, seconds and microseconds of
-- the server's clock}. Marks an empty log with the
-- new epoch, and one that is shorter than it was: whoever else knows it learns of that by the
-- epoch, also when the log has grown again by then.
local fresh, format, known_epoch, known_head = arg(), arg(), arg(), num()
local meta = call('HMGET', KEYS[1], 'epoch', 'head')
if not meta[1] then call('HSET', KEYS[1], 'epoch', fresh, 'format', format, 'head', '0')
elseif meta[1] == known_epoch and tonumber(meta[2]) < known_head then call('HSET', KEYS[1], 'epoch', fresh) end
-- What an older program wrote is also how this one writes it, until something is trimmed.
local known = call('HGET', KEYS[1], 'format')
if tonumber(known) < tonumber(format) then call('HSET', KEYS[1], 'format', format) end
local found, time = call('HMGET', KEYS[1], 'epoch', 'format', 'head'), call('TIME')
return { found[1], found[2], found[3], time[1], time[2] }
