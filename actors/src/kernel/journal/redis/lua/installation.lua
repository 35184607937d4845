-- mailbox, documents, what to do -> {mailbox, documents} as they were noted before ('' = not).
-- 'look' notes nothing, 'note' what is not noted yet unless the journal is somebody else's, 'adopt'
-- everything.
local mine, what = { arg(), arg() }, arg()
local fields, known = { 'mailbox', 'documents' }, call('HMGET', KEYS[1], 'mailbox', 'documents')
local foreign = false
for i = 1, 2 do
  if known[i] and mine[i] ~= '' and known[i] ~= mine[i] then foreign = true end
end
for i = 1, 2 do
  local notes = what == 'adopt' or what == 'note' and not foreign and not known[i]
  if notes and mine[i] ~= '' then call('HSET', KEYS[1], fields[i], mine[i]) end
end
return { known[1] or '', known[2] or '' }
