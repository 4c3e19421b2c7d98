-- How a job changes state. Uses keys and time.
-- Workers that may die under one job before it goes to the dead letter queue.
local MAX_CRASHES = 5
local CONTROL_SECONDS = 3600

local function move(id, from, to, score)
  redis.call('ZREM', INDEX[from], id)
  redis.call('ZADD', INDEX[to], stamp(score), id)
end

-- One token is enough: whoever takes it claims, and leaves a new one if work remains.
local function wake()
  if redis.call('LLEN', WAKE) == 0 then
    redis.call('RPUSH', WAKE, '1')
  end
end

local function tell(runner, message)
  redis.call('RPUSH', CONTROL .. runner, message)
  redis.call('EXPIRE', CONTROL .. runner, CONTROL_SECONDS)
end

-- Adds one to a count of the job. One that a stranger damaged starts again: it must not stop every later script.
local function count(id, name)
  local counted = redis.pcall('HINCRBY', JOB .. id, name, 1)
  if type(counted) == 'number' and counted > 0 then
    return counted
  end
  redis.call('HSET', JOB .. id, name, 1)
  return 1
end

-- Someone follows this job: `watch` marked it.
local function announce(id, state)
  redis.call('SPUBLISH', DONE .. id, state)
end

-- `first`: to the end that is taken next, for a job that has waited its turn already.
local function make_pending(id, from, score, first)
  redis.call('HSET', JOB .. id, 'status', 'pending')
  move(id, from, 'pending', score)
  redis.call(first and 'RPUSH' or 'LPUSH', QUEUE, id)
end

local function make_final(id, from, to, reason)
  redis.call('HSET', JOB .. id, 'status', to, 'finished_at', stamp(now), 'reason', reason)
  move(id, from, to, now)
  if to == 'dead' then
    redis.call('LPUSH', DEAD_LETTER, id)
  end
  if redis.call('HEXISTS', JOB .. id, 'watched') == 1 then
    announce(id, to)
  end
end

-- The worker of a processing job is gone. Its death is not the command's failure: no attempt is counted.
local function crashed(id)
  local job = JOB .. id
  local crashes = count(id, 'crashes')
  if redis.call('HEXISTS', job, 'cancel_requested') == 1 then
    make_final(id, 'processing', 'cancelled', 'cancelled')
  elseif crashes >= MAX_CRASHES then
    redis.call('HDEL', job, 'exit_code')  -- of an attempt before
    make_final(id, 'processing', 'dead', 'its worker died ' .. crashes .. ' times while running it')
  else
    redis.call('HSET', job, 'reason', 'its worker died (' .. crashes .. ' of ' .. MAX_CRASHES .. ')')
    make_pending(id, 'processing', now, true)
    wake()
  end
end
