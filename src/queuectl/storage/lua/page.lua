#!lua flags=no-writes,allow-stale
-- Returns one page of jobs in the given states: first running ones, by id; then those waiting for a retry, soonest
-- first; then all others, latest change first, or longest waiting first if all others are pending.
-- uses: keys indexes
--
-- KEYS[1]   namespace
-- ARGV      how many, cursor after which to continue ('' for the first page), then states
-- Reply     {cursor, id, {field, value ...}} for each job
--
-- A cursor is <section>:<score>:<id>. Scores change only with a job's state, except in `running`, where every heartbeat
-- changes them. Running jobs are as few as the workers, so we read and sort all their ids. Of any other index we read
-- one page, and find its start by binary search, as jobs may share a score.
local limit = tonumber(ARGV[1])
local at, score, after = string.match(ARGV[2], '^(%d):([^:]*):(.*)$')
at = tonumber(at or '1')
local wanted, others = {}, {}
for i = 3, #ARGV do
  wanted[ARGV[i]] = true
  if ARGV[i] ~= 'processing' and ARGV[i] ~= 'failed' then
    others[#others + 1] = ARGV[i]
  end
end
local page = {}

local function show(section, found)
  for i = 1, math.min(#found, limit - #page) do
    local entry = found[i]
    local fields = redis.pcall('HGETALL', JOB .. entry.id)
    page[#page + 1] = { section .. ':' .. entry.text .. ':' .. entry.id, entry.id, fields.err and {} or fields }
  end
end

local function running(from)
  local found = {}
  for _, id in ipairs(redis.call('ZRANGE', INDEX.processing, 0, -1)) do
    if not from or id > from then
      found[#found + 1] = { id = id, text = '' }
    end
  end
  table.sort(found, function(a, b)
    return a.id < b.id
  end)
  return found
end

-- Returns the number of index entries at or before a position, in reading order.
local function passed(index, range, ascending, from)
  local low = redis.call('ZCOUNT', index, unpack(ascending and { '-inf', '(' .. score } or { '(' .. score, '+inf' }))
  local high = low + redis.call('ZCOUNT', index, score, score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local id = redis.call(range, index, middle, middle)[1]
    if id == from or (id < from) == ascending then
      low = middle + 1
    else
      high = middle
    end
  end
  return low
end

local function by_score(states, ascending, from)
  local range, found = ascending and 'ZRANGE' or 'ZREVRANGE', {}
  for _, state in ipairs(states) do
    local first = from and passed(INDEX[state], range, ascending, from) or 0
    local read = redis.call(range, INDEX[state], first, first + limit - #page - 1, 'WITHSCORES')
    for i = 1, #read, 2 do
      found[#found + 1] = { id = read[i], score = tonumber(read[i + 1]), text = read[i + 1] }
    end
  end
  table.sort(found, function(a, b)
    if a.score ~= b.score then
      return (a.score < b.score) == ascending
    end
    return a.id ~= b.id and (a.id < b.id) == ascending
  end)
  return found
end

if at == 1 and wanted.processing then
  show(1, running(after))
end
if at <= 2 and wanted.failed and #page < limit then
  show(2, by_score({ 'failed' }, true, at == 2 and after or nil))
end
if #page < limit then
  show(3, by_score(others, #others == 1 and others[1] == 'pending', at == 3 and after or nil))
end
return page
