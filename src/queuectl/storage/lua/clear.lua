#!lua flags=allow-oom
-- Cancels pending jobs, oldest first, in chunks.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      only jobs that became pending by this time ('' for now), how many at most, reason
-- Reply     {the time to give next, how many were cancelled}; fewer than the limit means done
local before = ARGV[1] == '' and stamp(now) or ARGV[1]
local ids = redis.call('ZRANGEBYSCORE', INDEX.pending, '-inf', before, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do
  if field(id, 'status') == 'pending' then
    make_final(id, 'pending', 'cancelled', ARGV[3])
  else
    redis.call('ZREM', INDEX.pending, id)
  end
end
if redis.call('ZCARD', INDEX.pending) == 0 then
  -- Every id that is left in the list is stale.
  redis.call('UNLINK', QUEUE)
end
return { before, #ids }
