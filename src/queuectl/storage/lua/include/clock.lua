-- The server's clock may jump, and a machine may sleep: a lease must not end while its runner had no chance to renew it.
-- uses: keys time indexes workers
--
-- `pulse` holds 'at interval': when a runner was last heard, and for how long a silence is usual then.
local PULSE = prefix .. 'pulse'
local SHIFT_AT_ONCE = 1000  -- what Lua can unpack is limited
local STEP_BACK = 1  -- seconds; a clock that is kept in step goes back by less

local function pulse_of(text)
  local at, interval = string.match(text or '', '^(%S+) (%S+)$')
  return tonumber(at), tonumber(interval)
end

-- Whether all runners were silent for longer than usual. Then no lease may end before they are heard again.
local function is_silent(pulse)
  local at, interval = pulse_of(pulse)
  return at and interval and now > at + interval
end

-- Moves all members of a sorted set whose score is above `above`, in one go: no other score may come between.
local function shift(key, seconds, above)
  local found = call('ZRANGEBYSCORE', key, '(' .. stamp(above), '+inf', 'WITHSCORES')
  local moved = {}
  for i = 1, #found, 2 do
    moved[#moved + 1] = stamp(found[i + 1] + seconds)
    moved[#moved + 1] = found[i]
    if #moved == 2 * SHIFT_AT_ONCE or i + 1 == #found then
      call('ZADD', key, unpack(moved))
      moved = {}
    end
  end
end

-- Notes that a runner was heard, and how long it may be silent now. After an unusual silence, leases and the names of
-- runners and workers go on as if no time had passed. If the clock went back, the retries go back with them.
local function note_pulse(pulse, interval)
  local at, usual = pulse_of(pulse)
  local went_back = at and now < at - STEP_BACK
  if is_silent(pulse) or went_back then
    for _, key in ipairs({ INDEX.processing, WORKERS, RUNNERS, went_back and INDEX.failed or nil }) do
      shift(key, now - at, at)
    end
  elseif usual then
    interval = math.min(interval, usual)  -- of the runner that is heard most often
  end
  call('SET', PULSE, NOW .. ' ' .. interval)
end
