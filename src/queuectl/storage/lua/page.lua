#!lua flags=no-writes,allow-stale
-- One page of jobs in the given states, those that changed last first.
-- uses: keys indexes
--
-- KEYS[1]   namespace
-- ARGV      how many, score and id after which to go on ('' '' for the first page), then states
-- Reply     {score, id, {field, value ...}} for each job
--
-- Each state's index is read for one page at most, so the cost is the page, not the queue; and, when many jobs
-- have the very time at which the last page ended, for those of them that were shown.
local limit, score, after = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local chunk = score == '' and limit or limit + 100
local found = {}
for i = 4, #ARGV do
  local wanted, offset = #found + limit, 0
  repeat
    local read = redis.call('ZREVRANGEBYSCORE', INDEX[ARGV[i]], score == '' and '+inf' or score, '-inf', 'WITHSCORES',
      'LIMIT', offset, chunk)
    for j = 1, #read, 2 do
      if score == '' or tonumber(read[j + 1]) < tonumber(score) or read[j] < after then
        found[#found + 1] = { id = read[j], score = tonumber(read[j + 1]), text = read[j + 1] }
      end
    end
    offset = offset + chunk
  until #found >= wanted or #read < 2 * chunk
end
table.sort(found, function(a, b)
  if a.score ~= b.score then
    return a.score > b.score
  end
  return a.id > b.id
end)

local page = {}
for i = 1, math.min(limit, #found) do
  local fields = redis.pcall('HGETALL', JOB .. found[i].id)
  page[i] = { found[i].text, found[i].id, fields.err and {} or fields }
end
return page
