-- Handles the death of a running job's worker. It is not the command's failure: no attempt is counted.
-- uses: state
local MAX_CRASHES = 5

-- Adds one to a counter of the job. A damaged counter restarts, so that it can't stop every later script.
local function count(id, name)
  local counted = try('HINCRBY', JOB .. id, name, 1)
  if type(counted) == 'number' and counted > 0 then
    return counted
  end
  call('HSET', JOB .. id, name, 1)
  return 1
end

-- Returns the job's new state.
local function crashed(job)
  local crashes = count(job.id, 'crashes')
  call('HDEL', JOB .. job.id, 'exit_code', 'detail')  -- of an earlier attempt
  local to = leave(job, crashes >= MAX_CRASHES and 'dead' or 'pending')
  if to == 'pending' then
    enter(job, NOW, 'cause', 'crash')
  else
    conclude(job, to == 'dead' and 'crash' or 'cancelled')
  end
  return to
end
