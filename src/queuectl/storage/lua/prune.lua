#!lua flags=allow-oom
-- Removes finished jobs that have expired or are too many, and stale ids from the dead letter list.
-- uses: time schema delete dead_letter config stale
--
-- KEYS[1]   namespace
-- ARGV      how many at most, rules of settings (see config), then setting, default ... for completed_retention,
--           dead_retention (in seconds) and max_finished (jobs)
-- Reply     {ids that were removed}
if newer(call('GET', SCHEMA)) then
  return {}
end
local budget = tonumber(ARGV[1])
local values = settings(ARGV[2])
for i = 3, #ARGV, 2 do
  values[ARGV[i]] = values[ARGV[i]] or ARGV[i + 1]
end
local completed, dead = tonumber(values.completed_retention), tonumber(values.dead_retention)
local most = tonumber(values.max_finished)

local removed = {}
local function remove(state, ids)
  for _, id in ipairs(ids) do
    if field(id, 'status') == state then
      delete(id, state)
      removed[#removed + 1] = id
    else
      drop(id, state)
    end
  end
end

for state, keep in pairs({ completed = completed, cancelled = completed, dead = dead }) do
  local index = INDEX[state]
  remove(state, call('ZRANGEBYSCORE', index, '-inf', stamp(now - keep), 'LIMIT', 0, budget - #removed))
  local surplus = math.min(call('ZCARD', index) - most, budget - #removed)
  if surplus > 0 then
    remove(state, call('ZRANGE', index, 0, surplus - 1))
  end
end

-- Rotate the list at its oldest end until it is about as long as the index it mirrors.
for _ = 1, math.min(budget, call('LLEN', DEAD_LETTER) - call('ZCARD', INDEX.dead)) do
  local id = call('RPOP', DEAD_LETTER)
  if call('ZSCORE', INDEX.dead, id) then
    call('LPUSH', DEAD_LETTER, id)
  end
end
return removed
