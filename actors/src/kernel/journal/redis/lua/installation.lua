-- mailbox, documents, adopt or not -> {mailbox, documents} as they were noted before ('' = not).
-- Notes whose journal this is, what is not noted yet or everything; nothing when it is somebody
-- else's.
local mine, adopt = { arg(), arg() }, arg() == '1'
local fields, known = { 'mailbox', 'documents' }, call('HMGET', KEYS[1], 'mailbox', 'documents')
local foreign = false
for i = 1, 2 do
  if known[i] and mine[i] ~= '' and known[i] ~= mine[i] then foreign = true end
end
for i = 1, 2 do
  if mine[i] ~= '' and (adopt or not foreign and not known[i]) then call('HSET', KEYS[1], fields[i], mine[i]) end
end
return { known[1] or '', known[2] or '' }
