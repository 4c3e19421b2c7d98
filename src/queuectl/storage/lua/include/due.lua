-- Transitions that are due by time. Every claim and heartbeat makes some of them, so no leader is needed.
-- uses: keys time state crash clock stale
local DUE_AT_ONCE = 100

-- Returns when the first job of an index is due; math.huge if it is empty.
local function first_due(state)
  return tonumber(call('ZRANGE', INDEX[state], 0, 0, 'WITHSCORES')[2] or math.huge)
end

local function each_due(state, act)
  for i, id in ipairs(call('ZRANGEBYSCORE', INDEX[state], '-inf', NOW, 'LIMIT', 0, DUE_AT_ONCE)) do
    local job = read(id)
    if job.state == state then
      act(job, i)
    else
      drop(id, state)
    end
  end
  commit(true)
  return first_due(state)
end

local function promote(job, i)
  leave(job, 'pending')
  enter(job, stamp(now + i / 1000000))
end

-- Puts due retries back into the queue and frees expired leases, at most 100 of each. Returns the times at which the
-- next ones are due. `pulse` tells whether leases may end; see `clock`.
local function promote_due(pulse)
  local retry, lease = first_due('failed'), first_due('processing')
  if retry <= now then
    retry = each_due('failed', promote)
  end
  if lease <= now and is_silent(pulse) then
    lease = now + 1
  elseif lease <= now then
    lease = each_due('processing', crashed)
  end
  return retry, lease
end

-- Returns the seconds until `moment`, as text; '' if nothing is planned.
local function until_due(moment)
  return moment < math.huge and string.format('%.6f', math.max(0, moment - now)) or ''
end
