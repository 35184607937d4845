-- The rows of a queue in order of addition, `limit` of them from `offset` on; `gone` tells
-- that the row refers to a body that is not there.
local q, offset, limit = arg(), num(), num()
local rows = {}
for i, key in ipairs(call('ZRANGE', p .. 'rows:' .. q, offset, offset + limit - 1)) do
  local row = call('HMGET', row_at(q, key), 'partition', 'state', 'due', 'until', 'claims', 'added', 'meta', 'body', 'order')
  local gone = row[8] and call('EXISTS', p .. 'body:' .. row[8]) == 0 and '1' or '0'
  table.insert(row, 1, key)
  row[11] = gone
  rows[i] = row
end
return rows
