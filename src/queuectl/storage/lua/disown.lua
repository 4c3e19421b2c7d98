#!lua flags=allow-oom
-- Puts back the jobs that a runner has leased without knowing it: the answer to its claim was lost with a connection.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      runner, how many leases to pass over, how many to look at, then id, fence of each lease that it knows
-- Reply     how many to pass over next time, or -1 at the end
local runner, skip, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local known = {}
for i = 4, #ARGV, 2 do
  known[ARGV[i]] = ARGV[i + 1]
end
local ids = redis.call('ZRANGE', INDEX.processing, skip, skip + count - 1)
local put_back = 0
for _, id in ipairs(ids) do
  if field(id, 'owner') == runner and field(id, 'status') == 'processing' and known[id] ~= field(id, 'fence') then
    make_pending(id, 'processing', now, true)
    put_back = put_back + 1
  end
end
if put_back > 0 then
  wake()
end
return #ids < count and -1 or skip + #ids - put_back
