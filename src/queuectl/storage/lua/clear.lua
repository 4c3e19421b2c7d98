#!lua flags=allow-oom
-- Cancels pending jobs, oldest first, in chunks.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      only jobs that became pending by this time ('' for now), how many at most, reason
-- Reply     {the time to give next ('' when it is done), how many were cancelled}
local before, limit = ARGV[1] == '' and stamp(now) or ARGV[1], tonumber(ARGV[2])
local cancelled = 0

local function cancel(id)
  if field(id, 'status') == 'pending' then
    make_final(id, 'pending', 'cancelled', ARGV[3])
    cancelled = cancelled + 1
  end
end

local ids = redis.call('ZRANGEBYSCORE', INDEX.pending, '-inf', before, 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  cancel(id)
  redis.call('ZREM', INDEX.pending, id)
end

-- Then the list, for what others put there, up to the first job that came later.
local looked = #ids
while looked < limit do
  local id = redis.call('RPOP', QUEUE)
  if not id then
    break
  end
  local since = redis.call('ZSCORE', INDEX.pending, id)
  if since and tonumber(since) > tonumber(before) then
    redis.call('RPUSH', QUEUE, id)
    break
  end
  cancel(id)
  looked = looked + 1
end
return { looked < limit and '' or before, cancelled }
