-- Messages to runners.
-- uses: keys time
local RUNNERS = prefix .. 'runners'
local CONTROL = prefix .. 'control:'
local CONTROL_SECONDS = 3600

local function tell(runner, message)
  call('RPUSH', CONTROL .. runner, message)
  call('EXPIRE', CONTROL .. runner, CONTROL_SECONDS)
end

local function tell_all(message)
  for _, runner in ipairs(call('ZRANGEBYSCORE', RUNNERS, NOW, '+inf')) do
    tell(runner, message)
  end
end
