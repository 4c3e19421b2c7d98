#!lua flags=allow-oom
-- Removes finished jobs that are past their time or too many, and stale hints from the dead letter list.
-- uses: keys time schema delete config
--
-- KEYS[1]   namespace
-- ARGV      how many at most, then defaults in seconds or jobs: completed_retention, dead_retention, max_finished
-- Reply     {ids that were removed}
if newer() then
  return {}
end
local budget = tonumber(ARGV[1])
local function limit(name, default)
  return tonumber(setting(name, redis.call('HGET', CONFIG, name)) or default)
end
local completed, dead = limit('completed_retention', ARGV[2]), limit('dead_retention', ARGV[3])
local most = limit('max_finished', ARGV[4])

local removed = {}
local function remove(state, ids)
  for _, id in ipairs(ids) do
    if field(id, 'status') == state then
      delete(id, state)
      removed[#removed + 1] = id
    else
      redis.call('ZREM', INDEX[state], id)
    end
  end
end

for state, keep in pairs({ completed = completed, cancelled = completed, dead = dead }) do
  local index = INDEX[state]
  remove(state, redis.call('ZRANGEBYSCORE', index, '-inf', stamp(now - keep), 'LIMIT', 0, budget - #removed))
  local surplus = math.min(redis.call('ZCARD', index) - most, budget - #removed)
  if surplus > 0 then
    remove(state, redis.call('ZRANGE', index, 0, surplus - 1))
  end
end

-- The list turns by its oldest end until it is about as long as the index that it hints at.
for _ = 1, math.min(budget, redis.call('LLEN', DEAD_LETTER) - redis.call('ZCARD', INDEX.dead)) do
  local id = redis.call('RPOP', DEAD_LETTER)
  if redis.call('ZSCORE', INDEX.dead, id) then
    redis.call('LPUSH', DEAD_LETTER, id)
  end
end
return removed
