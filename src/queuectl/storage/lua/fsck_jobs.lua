#!lua flags=allow-oom
-- Finds, and repairs, contradictions in a job's records: its hash, the indexes, the look-up by id.
-- uses: keys time indexes ids environment
--
-- KEYS[1]   namespace
-- ARGV      repair ('1' or ''), then ids
-- Reply     {id, problem, whether it can be repaired (1 or 0), ...}
local repair = ARGV[1] == '1'
local problems = {}

local function report(id, problem, fix)
  problems[#problems + 1] = id
  problems[#problems + 1] = problem
  problems[#problems + 1] = fix and 1 or 0
  if repair and fix then
    fix()
  end
end

-- Seconds that the worker of a repaired processing job has to renew its lease: it may still be running the job.
local RENEWED_WITHIN = 300

local function score_of(id, state)
  if state == 'processing' then
    return now + RENEWED_WITHIN
  end
  local since = { failed = 'next_retry_at', completed = 'finished_at', dead = 'finished_at', cancelled = 'finished_at' }
  return since[state] and tonumber(field(id, since[state]) or '') or now
end

local function check_indexes(id, state)
  for other in pairs(NAMES) do
    local index = INDEX[other]
    local listed = redis.call('ZSCORE', index, id)
    if listed and other ~= state then
      report(id, 'is listed as ' .. other .. ', but it is ' .. (state or 'gone'), function()
        redis.call('ZREM', index, id)
      end)
    elseif not listed and other == state then
      report(id, 'is ' .. state .. ', but not listed so', function()
        redis.call('ZADD', index, stamp(score_of(id, state)), id)
      end)
    end
  end
end

for i = 2, #ARGV do
  local id = ARGV[i]
  local bucket = IDS .. string.sub(id, 1, 4)
  local known = redis.call('SISMEMBER', bucket, id) == 1
  local state = field(id, 'status')
  if redis.call('EXISTS', JOB .. id) == 0 then
    check_indexes(id, nil)
    if known then
      report(id, 'can be looked up, but it is gone', function()
        redis.call('SREM', bucket, id)
      end)
    end
  elseif not state or not NAMES[state] or not field(id, 'command') then
    report(id, 'is no valid job: it has no state, none that is known, or no command')
  else
    check_indexes(id, state)
    if not known then
      report(id, 'can not be looked up by its first digits', function()
        redis.call('SADD', bucket, id)
      end)
    end
    local env = field(id, 'env')
    if env and redis.call('EXISTS', ENV .. env) == 0 then
      report(id, 'has lost the variables of its environment')
    end
  end
end
return problems
