-- What time itself brings about; every claim and heartbeat does some of it, so no leader is needed.
-- Uses keys, time and lifecycle.
local DUE_AT_ONCE = 100

local function promote_due()
  local due = redis.call('ZRANGEBYSCORE', INDEX.failed, '-inf', stamp(now), 'LIMIT', 0, DUE_AT_ONCE)
  for i, id in ipairs(due) do
    if field(id, 'status') == 'failed' then
      redis.call('HDEL', JOB .. id, 'next_retry_at')
      make_pending(id, 'failed', now + i / 1000000, false)
    else
      redis.call('ZREM', INDEX.failed, id)
    end
  end
  return #due
end

local function reap_expired()
  local expired = redis.call('ZRANGEBYSCORE', INDEX.processing, '-inf', stamp(now), 'LIMIT', 0, DUE_AT_ONCE)
  for _, id in ipairs(expired) do
    if field(id, 'status') == 'processing' then
      crashed(id)
    else
      redis.call('ZREM', INDEX.processing, id)
    end
  end
  return #expired
end

-- Seconds until the next retry or the next end of a lease, as text; '' when nothing is planned.
local function next_due()
  local soonest
  for _, index in ipairs({ INDEX.failed, INDEX.processing }) do
    local first = redis.call('ZRANGE', index, 0, 0, 'WITHSCORES')[2]
    if first and (not soonest or tonumber(first) < soonest) then
      soonest = tonumber(first)
    end
  end
  return soonest and string.format('%.6f', math.max(0, soonest - now)) or ''
end
