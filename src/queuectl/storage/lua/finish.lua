#!lua flags=allow-oom
-- Ends leases: records how attempts went, and moves each job to what follows.
-- uses: keys time lifecycle
--
-- KEYS[1]   namespace
-- ARGV      for each lease 8 values: id, fence, verdict, exit code ('' for none), reason, duration in
--           seconds, worker, pause before the next attempt in seconds
--           verdict: completed | retry | dead | cancelled | handed_back | crashed
-- Reply     for each lease: the job's state now, or 'stale' when the fence is old and nothing was recorded
local states, ended, done = {}, {}, {}

local function record(id, verdict, exit_code, reason, duration, worker, delay)
  local job = JOB .. id
  local to = verdict
  if verdict == 'retry' or verdict == 'dead' then
    local wanted = verdict == 'retry' and 'failed' or 'dead'
    to = redis.call('HEXISTS', job, 'cancel_requested') == 1 and 'cancelled' or wanted
  end
  local later = to == 'failed'
  count(id, 'attempts')
  redis.call('HSET', job, 'status', to, 'exit_code', exit_code, 'reason', reason, 'worker', worker,
    'started_at', stamp(now - duration), later and 'next_retry_at' or 'finished_at', stamp(later and now + delay or now))
  ended[#ended + 1] = id
  if to == 'completed' then
    done[#done + 1] = stamp(now)
    done[#done + 1] = id
  elseif to == 'failed' then
    redis.call('ZADD', INDEX.failed, stamp(now + delay), id)
  else
    redis.call('ZADD', INDEX[to], stamp(now), id)
    if to == 'dead' then
      redis.call('LPUSH', DEAD_LETTER, id)
    end
  end
  return to
end

for i = 1, #ARGV, 8 do
  local id, fence, verdict = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local job = redis.pcall('HMGET', JOB .. id, 'status', 'fence', 'watched')
  local state
  if job.err or job[1] ~= 'processing' or job[2] ~= fence then
    state = 'stale'
  elseif verdict == 'handed_back' then
    if field(id, 'cancel_requested') then
      make_final(id, 'processing', 'cancelled', 'cancelled')
      state = 'cancelled'
    else
      make_pending(id, 'processing', now, true)
      wake()
      state = 'pending'
    end
  elseif verdict == 'crashed' then
    crashed(id)
    state = redis.call('HGET', JOB .. id, 'status')
  else
    state = record(id, verdict, ARGV[i + 3], ARGV[i + 4], tonumber(ARGV[i + 5]), ARGV[i + 6], tonumber(ARGV[i + 7]))
    if job[3] then
      announce(id, state)
    end
  end
  states[#states + 1] = state
end
if #ended > 0 then
  redis.call('ZREM', INDEX.processing, unpack(ended))
end
if #done > 0 then
  redis.call('ZADD', INDEX.completed, unpack(done))
end
return states
