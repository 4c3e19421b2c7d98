#!lua flags=allow-oom
-- Finds, and repairs, jobs that are missing from the list of their state (`jobs` or `dead_letter`).
-- uses: keys indexes wake
--
-- KEYS[1]   namespace
-- ARGV      repair ('1' or ''), state: pending | dead, time before the list was read, then ids that were not in it
-- Reply     {ids that are missing}
local repair, state = ARGV[1] == '1', ARGV[2]
local list = state == 'pending' and QUEUE or prefix .. 'dead_letter'
local missing = {}
for i = 4, #ARGV do
  local id = ARGV[i]
  local since = tonumber(redis.call('ZSCORE', INDEX[state], id) or '')
  -- A job that came later may well be in the list. We don't search it, which would walk all of it: an id that is
  -- there twice does no harm.
  if field(id, 'status') == state and since and since < tonumber(ARGV[3]) then
    missing[#missing + 1] = id
    if repair then
      redis.call(state == 'pending' and 'RPUSH' or 'LPUSH', list, id)
    end
  end
end
if repair and #missing > 0 and state == 'pending' then
  wake()
end
return missing
