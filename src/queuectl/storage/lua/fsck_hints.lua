#!lua flags=allow-oom
-- Finds, and mends, jobs that are missing from the list that hints at them.
-- uses: keys
--
-- KEYS[1]   namespace
-- ARGV      repair ('1' or ''), state: pending | dead, then ids that seemed to be missing
-- Reply     {ids that are}
local repair, state = ARGV[1] == '1', ARGV[2]
local list = state == 'pending' and QUEUE or DEAD_LETTER
local missing = {}
for i = 3, #ARGV do
  local id = ARGV[i]
  -- LPOS walks the list; only ids that another look did not find in it come here.
  if field(id, 'status') == state and not redis.call('LPOS', list, id) then
    missing[#missing + 1] = id
    if repair then
      redis.call(state == 'pending' and 'RPUSH' or 'LPUSH', list, id)
    end
  end
end
if repair and #missing > 0 and state == 'pending' and redis.call('LLEN', WAKE) == 0 then
  redis.call('RPUSH', WAKE, '1')
end
return missing
