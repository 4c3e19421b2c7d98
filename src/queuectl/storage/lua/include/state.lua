-- Changes the state of jobs: a job leaves one and enters another. `commit` then updates the indexes and lists, each
-- with one command however many jobs there were. A test holds that no other part writes to them, but those that remove
-- jobs or repair their records.
-- uses: keys time indexes wake
local DEAD_LETTER = prefix .. 'dead_letter'
local DONE = prefix .. 'done:'
local FINAL = { completed = true, dead = true, cancelled = true }

local leaving, entering = {}, {}
local to_front, to_back, to_dead_letter = {}, {}, {}

local function list_of(lists, state)
  local list = lists[state]
  if not list then
    list = {}
    lists[state] = list
  end
  return list
end

-- Reads what a change of state needs of a job; its `state` is nil if there is no such job, or no hash in its place.
local function read(id)
  local fields = try('HMGET', JOB .. id, 'status', 'fence', 'owner', 'attempts', 'cancel_requested', 'ties', 'crashes')
  if fields.err then
    return { id = id }
  end
  return {
    id = id,
    state = fields[1] or nil,
    fence = fields[2],
    owner = fields[3],
    attempts = fields[4],
    cancel_requested = fields[5],
    ties = fields[6],
    crashes = fields[7],
  }
end

-- Takes a job out of its state, to put it into `to`, and removes the fields that belong to the old state. Returns the
-- state that `enter` will put it into: a job that was cancelled while it ran is neither run again nor dead.
local function leave(job, to)
  local ids = list_of(leaving, job.state)
  ids[#ids + 1] = job.id
  if job.state == 'failed' then
    call('HDEL', JOB .. job.id, 'next_retry_at')
  elseif FINAL[job.state] then
    call('HDEL', JOB .. job.id, 'finished_at', 'started_at', 'exit_code', 'cause', 'detail', 'crashes', 'cancel_requested',
      'worker', 'owner', 'host')
  elseif job.cancel_requested then
    call('HDEL', JOB .. job.id, 'cancel_requested')
    to = to == 'completed' and to or 'cancelled'
  end
  job.to = to
  return to
end

-- Puts a job into the state that `leave` has found, and sets further fields of it; `score` is a time as text. A job
-- that has run goes to the end of the queue that is taken next: it has waited its turn. A new job has its fields.
local function enter(job, score, ...)
  local to = job.to
  if job.state then
    call('HSET', JOB .. job.id, 'status', to, ...)
  end
  local scores = list_of(entering, to)
  scores[#scores + 1] = score
  scores[#scores + 1] = job.id
  if to == 'pending' then
    local list = job.state == 'processing' and to_front or to_back
    list[#list + 1] = job.id
  elseif to == 'dead' then
    to_dead_letter[#to_dead_letter + 1] = job.id
  end
  if job.ties and (FINAL[to] or to == 'failed') then
    call('SPUBLISH', DONE .. job.id, to)
  end
end

-- Enters a final state for another reason than a result of the command.
local function conclude(job, cause)
  enter(job, NOW, 'finished_at', NOW, 'cause', cause)
end

-- Puts a running job back into the queue without counting anything. Returns the job's new state.
local function hand_back(job)
  if leave(job, 'pending') == 'pending' then
    enter(job, NOW)
  else
    conclude(job, 'cancelled')
  end
  return job.to
end

-- Writes what has left and entered since the last call. `quiet`: the caller wakes workers itself.
local function commit(quiet)
  for state, ids in pairs(leaving) do
    call('ZREM', INDEX[state], unpack(ids))
    leaving[state] = nil
  end
  for state, scores in pairs(entering) do
    call('ZADD', INDEX[state], unpack(scores))
    entering[state] = nil
  end
  if to_dead_letter[1] then
    call('LPUSH', DEAD_LETTER, unpack(to_dead_letter))
    to_dead_letter = {}
  end
  if not (to_back[1] or to_front[1]) then
    return
  end
  if to_back[1] then
    call('LPUSH', QUEUE, unpack(to_back))
    to_back = {}
  end
  if to_front[1] then
    call('RPUSH', QUEUE, unpack(to_front))
    to_front = {}
  end
  if not quiet then
    wake()
  end
end
