#!lua flags=allow-oom
-- Cancels pending jobs, oldest first, in chunks.
-- uses: state stale queue
--
-- KEYS[1]   namespace
-- ARGV      cancel only jobs that became pending by this time ('' for now), how many at most
-- Reply     {the time to pass next ('' when done), how many were cancelled}
local before, limit = ARGV[1] == '' and NOW or ARGV[1], tonumber(ARGV[2])
local cancelled = 0

local function cancel(id)
  local job = read(id)
  if job.state == 'pending' then
    leave(job, 'cancelled')
    conclude(job, 'cleared')
    cancelled = cancelled + 1
    return
  end
  drop(id, 'pending')
end

local ids = call('ZRANGEBYSCORE', INDEX.pending, '-inf', before, 'LIMIT', 0, limit)
for _, id in ipairs(ids) do
  cancel(id)
end
commit()

-- Then the list, for entries that other software put there, up to the first job that came later.
local seen = #ids
while seen < limit do
  local id = call('LINDEX', QUEUE, -1)
  local since = id and call('ZSCORE', INDEX.pending, id)
  if not id or since and tonumber(since) > tonumber(before) then
    break
  end
  take(1)
  cancel(id)
  seen = seen + 1
end
commit()
return { seen < limit and '' or before, cancelled }
