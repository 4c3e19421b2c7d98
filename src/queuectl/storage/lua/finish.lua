#!lua flags=allow-oom
-- Ends leases: records the outcomes of attempts, and moves each job to its next state.
-- uses: keys time state crash
--
-- KEYS[1]   namespace
-- ARGV      runner, then for each lease 9 values: id, fence, verdict, exit code ('' for none), cause, detail, duration in
--           seconds, worker, pause before the next attempt in seconds
--           verdict: completed | retry | dead | cancelled | handed_back | crashed
-- Reply     for each lease: the job's state now, or 'stale' if the fence is old and nothing was recorded
local runner, states = ARGV[1], {}

-- Records an attempt that ended with a result of the command.
local function record(job, to, exit_code, cause, detail, duration, worker, delay)
  local before = tonumber(job.attempts) or 0
  if not (before >= 0 and before < 2 ^ 53) then
    before = 0 -- damaged
  end
  local moment, score = 'finished_at', NOW
  if leave(job, to) == 'failed' then
    moment, score = 'next_retry_at', stamp(now + delay)
  elseif job.to == 'cancelled' and cause ~= 'cancelled' then
    cause, detail = 'cancelled', ''  -- whatever the killed command ended with
  end
  if cause ~= '' or detail ~= '' then
    enter(job, score, 'attempts', before + 1, 'worker', worker, 'started_at', stamp(now - duration), moment, score,
      'exit_code', exit_code, 'cause', cause, 'detail', detail)
    return job.to
  end
  if before > 0 or job.crashes then
    call('HDEL', JOB .. job.id, 'cause', 'detail') -- of an earlier attempt
  end
  enter(job, score, 'attempts', before + 1, 'worker', worker, 'started_at', stamp(now - duration), moment, score,
    'exit_code', exit_code)
  return job.to
end

for i = 2, #ARGV, 9 do
  local job, verdict = read(ARGV[i]), ARGV[i + 2]
  local state
  if job.state ~= 'processing' or job.fence ~= ARGV[i + 1] or job.owner ~= runner then
    state = 'stale'
  elseif verdict == 'crashed' then
    state = crashed(job)
  elseif verdict == 'handed_back' then
    state = hand_back(job)
  else
    local to = verdict == 'retry' and 'failed' or verdict
    state = record(job, to, ARGV[i + 3], ARGV[i + 4], ARGV[i + 5], tonumber(ARGV[i + 6]), ARGV[i + 7],
      tonumber(ARGV[i + 8]))
  end
  states[#states + 1] = state
end
commit()
return states
