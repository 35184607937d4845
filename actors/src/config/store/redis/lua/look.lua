-- KEYS: changes, known, one document each. ARGV: channel, seed, writer, cap, then name and the
-- sum that the caller holds of each document.
-- Answers why changes could not be listed (or ''), then for each document: what, sum, text.
local channel, seed, writer, cap = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local first = redis.call('HEXISTS', KEYS[2], 'list') == 0
local origin = first and 'startup' or 'external'
local answer, unlisted, news = {''}, '', nil

-- A server that takes no writes now can still be read.
local function try(name, text, sum)
  local done, why = pcall(list, name, text, sum, origin, writer, cap, seed, '')
  if done then
    news = name
  else
    unlisted = type(why) == 'table' and why.err or tostring(why)
  end
end

for i = 3, #KEYS do
  local name, held = ARGV[2 * i - 1], ARGV[2 * i]
  local known = redis.call('HGET', KEYS[2], 'doc:' .. name)
  -- Another type is told by GET.
  local bytes = redis.pcall('STRLEN', KEYS[i])
  local text = type(bytes) == 'number' and bytes > largest or redis.pcall('GET', KEYS[i])
  local found
  if text == true then
    found = {'wrong', '', string.format('%d bytes are more than a document has', bytes)}
  elseif type(text) == 'table' then
    found = {'wrong', '', text.err}
  elseif text then
    local sum = redis.sha1hex(text)
    if sum ~= known then try(name, text, sum) end
    found = held == sum and {'same', sum, ''} or {'text', sum, text}
  elseif not known then
    found = {'unknown', '', ''}
  else
    if known ~= '-' then try(name, false, '-') end
    found = {'absent', '', ''}
  end
  answer[#answer + 1] = found
end
-- From here on, what appears was written by somebody while we looked.
if first then pcall(redis.call, 'HSETNX', KEYS[2], 'list', seed) end
if news then redis.call('PUBLISH', channel, news) end
answer[1] = unlisted
return answer
